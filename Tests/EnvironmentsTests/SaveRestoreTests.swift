import Testing

@testable import Environments

/// Save, step, restore, step again: the same bits.
@Suite struct SaveRestoreTests {
  static let names = EnvironmentRegistry.standard.entries.map(\.name)

  @Test(arguments: names)
  func restoredStatesGoOnBitByBit(name: String) throws {
    let environment = try EnvironmentRegistry.standard.make(name)
    let fresh = try EnvironmentRegistry.standard.make(name)
    let actions = RandomActions(space: environment.actionSpace, seed: 1)
    try environment.reset(seed: 4)
    // Falling ends nothing here: what comes after must be exact too.
    for step in 0..<25 { try environment.step(actions[step]) }
    let saved = try environment.savedState()
    let first = try rollOut(environment, actions)
    #expect(try environment.savedState() != saved)
    for copy in [environment, fresh] {
      try copy.restore(saved)
      #expect(try copy.savedState() == saved)
      #expect(try rollOut(copy, actions) == first)
    }
  }

  private func rollOut(_ environment: any Environment, _ actions: RandomActions) throws -> [UInt32]
  {
    var bits = environment.observation.map(\.bitPattern)
    for step in 25..<75 {
      let outcome = try environment.step(actions[step])
      bits += environment.observation.map(\.bitPattern)
      bits += [
        outcome.reward.bitPattern, outcome.isTerminated ? 1 : 0, outcome.isTruncated ? 1 : 0,
      ]
    }
    return bits
  }

  /// Chipmunk remembers contacts: a saved state must bring back the push that is under way.
  @Test func pushTIsExactInTheMiddleOfAPush() throws {
    let golden = try Goldens.array("push-t-steps.npy")
    let environment = PushTEnvironment()
    environment.reset(.state(Array(try Goldens.array("push-t-initial.npy")[1])))
    func play(_ steps: Range<Int>) throws -> [UInt64] {
      try steps.flatMap { step -> [UInt64] in
        let row = Array(golden[1, step])
        try environment.step([Float(row[0]), Float(row[1])])
        return environment.state.map(\.bitPattern)
      }
    }
    _ = try play(0..<15)
    let saved = try environment.savedState()
    let before = environment.state
    let first = try play(15..<45)
    #expect(abs(environment.state[2] - before[2]) > 1)
    try environment.restore(saved)
    #expect(try play(15..<45) == first)
  }

  @Test(arguments: names)
  func statesOfOthersAreRefused(name: String) throws {
    let environment = try EnvironmentRegistry.standard.make(name)
    for other in Self.names where other != name {
      let state = try EnvironmentRegistry.standard.make(other).savedState()
      #expect(throws: EnvironmentError.self) { try environment.restore(state) }
    }
    let saved = try environment.savedState()
    let longer = EnvironmentState(words: saved.words + [0])
    #expect(throws: EnvironmentError.self) { try environment.restore(longer) }
    try environment.restore(saved)
  }

  /// A line whose state nobody can read: saved as the way to it.
  private final class HiddenLine: ReplayedEnvironment {
    let line = LineEnvironment()
    private(set) var history = EpisodeHistory(from: .seed(0))
    /// What seeds and actions do not decide.
    private let drift: Double
    init(drift: Double = 0) { self.drift = drift }

    let name = "hidden line"
    var observationSpace: BoxSpace { line.observationSpace }
    var actionSpace: BoxSpace { line.actionSpace }
    let stepsPerSecond = 10.0
    var startingStateNames: [String] { line.startingStateNames }

    func reset(_ start: EpisodeStart) {
      history.begin(from: start)
      line.reset(start)
    }

    func step(_ action: UnsafeBufferPointer<Float>) -> StepOutcome {
      history.append(action)
      return line.step(action)
    }

    func observe(into observation: UnsafeMutableBufferPointer<Float>) {
      line.observe(into: observation)
      observation[0] += Float(drift)
    }
  }

  @Test func anyDeterministicEnvironmentIsSavedByReplay() throws {
    let report = try EnvironmentChecker { FiniteGuard(HiddenLine()) }.run()
    #expect(report.problems.isEmpty, "\(report.problems)")

    let line = HiddenLine()
    line.reset(.state([3, -1]))
    try line.step([0.5])
    let saved = try line.savedState()
    let copy = HiddenLine()
    try copy.restore(saved)
    #expect(copy.observation == line.observation && copy.history == line.history)
    #expect(copy.history.start == .state([3, -1]) && copy.history.actions == [0.5])
    // Where seed and actions do not decide the state, the wrong one is not taken for the right one.
    let error = #expect(throws: EnvironmentError.self) { try HiddenLine(drift: 1).restore(saved) }
    #expect(error == .replayDiffers(environment: "hidden line", stepCount: 1))
  }
}
