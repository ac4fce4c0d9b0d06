import Foundation
import Testing

@testable import Environments

/// Shows its step number and last action; ends when told to.
final class CountingEnvironment: Environment {
  let name = "counting"
  let observationSpace = BoxSpace(names: ["step", "action"], bounds: -1000...1000)
  let actionSpace = BoxSpace(names: ["action"], bounds: -1000...1000)
  let stepsPerSecond = 20.0
  let lastStep: Int
  var brokenStep = -1
  private(set) var stepCount = 0
  private var lastAction: Float = 0

  init(lastStep: Int = .max) { self.lastStep = lastStep }

  var info: [String: Double] { ["isSuccess": stepCount >= lastStep ? 1 : 0] }

  func reset(_ start: EpisodeStart) {
    stepCount = 0
    if case .seed(let seed) = start { lastAction = -Float(seed) }
  }

  func step(_ action: UnsafeBufferPointer<Float>) -> StepOutcome {
    stepCount += 1
    lastAction = action[0]
    return StepOutcome(
      reward: stepCount == brokenStep ? .nan : action[0], isTerminated: stepCount >= lastStep)
  }

  func observe(into observation: UnsafeMutableBufferPointer<Float>) {
    observation[0] = stepCount == brokenStep ? .nan : Float(stepCount)
    observation[1] = lastAction
  }

  func save(to state: inout EnvironmentState) {
    state.appendTag("counting")
    state.append(stepCount)
    state.append(lastAction)
  }

  func restore(from reader: inout EnvironmentState.Reader) throws {
    try reader.readTag("counting")
    stepCount = try reader.readInteger()
    lastAction = try reader.readFloat()
  }
}

@Suite struct WrapperTests {
  @Test func historyRepeatsTheFirstObservation() throws {
    let environment = ObservationHistory(CountingEnvironment(), count: 3)
    #expect(environment.observationSpace.shape == [3, 2])
    try environment.reset(seed: 7)
    #expect(environment.observation == [0, -7, 0, -7, 0, -7])
    try environment.step([5])
    #expect(environment.observation == [0, -7, 0, -7, 1, 5])
    try environment.step([6])
    try environment.step([8])
    #expect(environment.observation == [1, 5, 2, 6, 3, 8])
  }

  @Test func chunksSumRewardsAndStopAtTheEnd() throws {
    let inner = CountingEnvironment(lastStep: 6)
    let environment = ActionChunks(inner, count: 4)
    #expect(environment.actionSpace.shape == [4, 1] && environment.stepsPerSecond == 5)
    try environment.reset(seed: 0)
    #expect(try environment.step([1, 2, 3, 4]) == StepOutcome(reward: 10))
    #expect(environment.observation == [4, 4])
    #expect(try environment.step([5, 6, 70, 80]) == StepOutcome(reward: 11, isTerminated: true))
    #expect(inner.stepCount == 6 && environment.observation == [6, 6])
  }

  /// The history inside a chunk holds the steps between the decisions.
  @Test func historyInsideChunksSeesEveryStep() throws {
    let environment = ActionChunks(ObservationHistory(CountingEnvironment(), count: 2), count: 4)
    try environment.reset(seed: 0)
    try environment.step([1, 2, 3, 4])
    #expect(environment.observation == [3, 3, 4, 4])
  }

  @Test func timeLimitTruncatesAndKeepsTerminationsApart() throws {
    let limited = TimeLimit(CountingEnvironment(), stepLimit: 3)
    try limited.reset(seed: 0)
    let outcomes = try (0..<3).map { _ in try limited.step([0]) }
    #expect(outcomes.map(\.isTruncated) == [false, false, true])
    #expect(outcomes.allSatisfy { !$0.isTerminated })
    try limited.reset(seed: 0)
    #expect(try !limited.step([0]).isFinished)

    let both = TimeLimit(CountingEnvironment(lastStep: 2), stepLimit: 3)
    try both.reset(seed: 0)
    try both.step([0])
    #expect(try both.step([0]) == StepOutcome(reward: 0, isTerminated: true))
  }

  @Test func recorderAddsUp() throws {
    let environment = EpisodeRecorder(CountingEnvironment(lastStep: 3))
    try environment.reset(seed: 0)
    try environment.step([1])
    #expect(environment.statistics.isSuccess == nil)
    try environment.step([5])
    try environment.step([-2])
    var expected = EpisodeStatistics()
    expected.totalReward = 4
    expected.stepCount = 3
    expected.bestReward = 5
    expected.isSuccess = true
    #expect(environment.statistics == expected)
    try environment.reset(seed: 0)
    #expect(environment.statistics == EpisodeStatistics())
  }

  @Test func normalizationMapsRangesAndBack() {
    let rows: [Float] = [0, 5, 7, 10, 5, -1, 4, 5, 3]
    let normalization = MinMaxNormalization(ofRows: rows, size: 3)
    #expect(normalization.minimum == [0, 5, -1] && normalization.maximum == [10, 5, 7])
    // The middle component is constant: shifted, not scaled.
    #expect(normalization.normalized([0, 5, 7, 10, 6, -1]) == [-1, 0, 1, 1, 1, -1])
    // And as an action it is the constant, whatever a policy says.
    #expect(normalization.denormalized([-1, 0, 1, 1, 1, -1]) == [0, 5, 7, 10, 5, -1])
    #expect(normalization.constants == [1])
  }

  /// Small ranges are no constants: actions of a fine motion are told apart, and come back.
  @Test func actionsOfSmallRangesComeBack() {
    let rows: [Float] = [-1e-7, 0.25, 1e-7, 0.25, 0, 0.25]
    let normalization = MinMaxNormalization(ofRows: rows, size: 2)
    var values = rows
    values.withUnsafeMutableBufferPointer { normalization.normalizeActions($0) }
    #expect(values == [-1, 0, 1, 0, 0, 0])
    #expect(normalization.denormalized(values) == rows)
    // Of observations they are noise, which stays small.
    #expect(normalization.normalized([1e-7, 0.25]) == [2e-7, 0])
  }

  /// Checkpoints from before there was an offset have none, and mean what they meant.
  @Test func oldRangesKeepTheirMeaning() throws {
    let old = Data(#"{"minimum":[0,5],"maximum":[10,5]}"#.utf8)
    let normalization = try JSONDecoder().decode(MinMaxNormalization.self, from: old)
    #expect(normalization.normalized([10, 5.5]) == [1, 0.5])
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    #expect(
      String(decoding: try encoder.encode(normalization), as: UTF8.self)
        == #"{"maximum":[10,5],"minimum":[0,5]}"#)
    let imported = MinMaxNormalization(minimum: [0], maximum: [1], rangeOffset: 1e-6)
    #expect(
      try JSONDecoder().decode(MinMaxNormalization.self, from: encoder.encode(imported))
        == imported)
    #expect(throws: DecodingError.self) {
      let wrong = Data(#"{"minimum":[0],"maximum":[1],"rangeOffset":-1}"#.utf8)
      return try JSONDecoder().decode(MinMaxNormalization.self, from: wrong)
    }
  }

  /// Six actions that were 0.25 cost 0.1 x 6 x 0.0625 a step, whatever is explored.
  @Test func constantActionsReachTheRobotUnmoved() throws {
    let environment = NormalizedEnvironment(
      try EnvironmentRegistry.standard.make("half-cheetah", ["forwardRewardWeight": "0"]),
      observations: nil,
      actions: MinMaxNormalization(
        minimum: Array(repeating: 0.25, count: 6), maximum: Array(repeating: 0.25, count: 6)))
    let random = RandomActions(space: environment.actionSpace, seed: 1)
    let statistics = try environment.playEpisode(
      from: .seed(3), policy: { _, step in random[step] })
    #expect(statistics.stepCount == 1000)
    #expect(abs(statistics.totalReward + 37.5) < 1e-5, "\(statistics.totalReward)")
  }

  @Test func normalizedEnvironmentScalesBothWays() throws {
    let environment = NormalizedEnvironment(
      CountingEnvironment(),
      observations: MinMaxNormalization(minimum: [0, 0], maximum: [10, 100]),
      actions: MinMaxNormalization(minimum: [0], maximum: [100]))
    #expect(
      environment.actionSpace.lowerBounds == [-1] && environment.actionSpace.upperBounds == [1])
    try environment.reset(seed: 0)
    #expect(try environment.step([0]).reward == 50)
    #expect(environment.observation == [-0.8, 0])
  }

  @Test func brokenNumbersEndTheEpisodeAndStayInside() throws {
    let inner = CountingEnvironment()
    inner.brokenStep = 3
    var warnings: [String] = []
    let environment = FiniteGuard(inner) { warnings.append($0) }
    try environment.reset(seed: 0)
    try environment.step([1])
    try environment.step([2])
    #expect(try environment.step([3]) == StepOutcome(reward: 0, isTerminated: true))
    #expect(environment.observation == [2, 2])
    #expect(environment.info["isBroken"] == 1)
    // It stays ended even if the simulator recovers.
    #expect(try environment.step([4]).isTerminated && environment.observation == [2, 2])
    #expect(warnings.count == 1 && warnings[0].contains("'step'") && warnings[0].contains("nan"))
    try environment.reset(seed: 0)
    #expect(
      try environment.step([1]) == StepOutcome(reward: 1) && environment.info["isBroken"] == nil)
    #expect(try environment.step([.nan]) == StepOutcome(reward: 0, isTerminated: true))
    #expect(warnings.count == 2 && warnings[1].contains("action"))
  }

  /// MuJoCo goes back to rest when it meets a number that is none; the episode must not.
  @Test func aDivergedSimulationEndsTheEpisode() throws {
    for (name, robot) in [
      ("hopper", try LocomotionEnvironment.hopper()), ("cheetah", try .halfCheetah()),
    ] {
      var warnings: [String] = []
      let environment = FiniteGuard(robot) { warnings.append($0) }
      var state = [Double](repeating: 0, count: environment.startingStateNames.count)
      state[1] = 1.25
      try environment.reset(.state(state))
      #expect(environment.observation.allSatisfy { $0.isFinite })
      state[state.count - 1] = 1e11
      try environment.reset(.state(state))
      let outcome = try environment.step(
        [Float](repeating: 0, count: environment.actionSpace.count))
      #expect(outcome == StepOutcome(reward: 0, isTerminated: true), "\(name)")
      #expect(environment.observation.allSatisfy { $0.isFinite } && !warnings.isEmpty)
    }
  }

  @Test func layersAreFoundFromOutside() throws {
    let environment = ActionChunks(try EnvironmentRegistry.standard.make("push-t"), count: 2)
    #expect(environment.layer(PushTEnvironment.self) != nil)
    #expect(environment.layer(TimeLimit.self)?.stepLimit == 300)
    #expect(environment.layer(ObservationHistory.self) == nil)
    try environment.reset(.state([60, 60, 256, 256, .pi / 4]))
    #expect(try environment.step([60, 60, 60, 60]) == StepOutcome(reward: 1, isTerminated: true))
    #expect(environment.layer(EpisodeRecorder.self)?.statistics.isSuccess == true)
  }
}
