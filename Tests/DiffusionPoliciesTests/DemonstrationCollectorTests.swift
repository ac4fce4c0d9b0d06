import Environments
import Tensors
import Testing

@testable import DiffusionPolicies

/// Shows the number of its seed; an episode of four steps is a success if a divisor divides it, or
/// tells nothing of that where there is none.
private final class NumberEnvironment: Environment {
  let name = "numbers"
  let observationSpace = BoxSpace(names: ["seed", "step"], bounds: -.infinity ... .infinity)
  let actionSpace = BoxSpace(names: ["a", "b"], lowerBounds: [-2, 0], upperBounds: [2, 1])
  let stepsPerSecond = 10.0
  private let divisor: UInt64?
  private var (seed, step) = (UInt64(0), 0)

  init(divisor: UInt64?) { self.divisor = divisor }

  var info: [String: Double] {
    divisor.map { ["isSuccess": seed.isMultiple(of: $0) ? 1 : 0] } ?? [:]
  }

  func reset(_ start: EpisodeStart) {
    guard case .seed(let seed) = start else { return }
    (self.seed, step) = (seed, 0)
  }

  func step(_ action: UnsafeBufferPointer<Float>) -> StepOutcome {
    step += 1
    return StepOutcome(reward: 1, isTruncated: step == 4)
  }

  func observe(into observation: UnsafeMutableBufferPointer<Float>) {
    (observation[0], observation[1]) = (Float(seed), Float(step))
  }

  func save(to state: inout EnvironmentState) { state.append(seed) }
  func restore(from reader: inout EnvironmentState.Reader) throws { seed = try reader.readWord() }
}

@Suite struct DemonstrationCollectorTests {
  private func collector(
    divisor: UInt64? = nil, environments: Int = 1, seed: UInt64 = 1,
    actions: DemonstrationCollector.ActionUse = .asChosen,
    player: @escaping DemonstrationCollector.Player = { _, _ in [0, 0] }
  ) -> DemonstrationCollector {
    DemonstrationCollector(
      environments: (0..<environments).map { _ in NumberEnvironment(divisor: divisor) }, seed: seed,
      actions: actions, player: { _, _ in player })
  }

  /// Seeds 2, 4 and 6 of 1 ... 6, however many play at the same time.
  @Test(arguments: [1, 2, 3, 5])
  func onlySuccessesAreKept(environments: Int) throws {
    var collected = CollectedDemonstrations()
    var told: [Int] = []
    try collector(divisor: 2, environments: environments)
      .collect(into: &collected, episodes: 3, onlySuccesses: true) { told.append($0) }
    let demonstrations = try #require(collected.demonstrations)
    #expect(demonstrations.lengths == [4, 4, 4])
    let seeds = stride(from: 0, to: 24, by: 8).map { demonstrations.states[$0] }
    #expect(seeds == [2, 4, 6])
    #expect(collected.playedEpisodes == 6 && told.last == 3)
    #expect(collected.episodes.allSatisfy { $0.isSuccess == true && $0.totalReward == 4 })
    var all = CollectedDemonstrations()
    try collector(divisor: 2, environments: environments).collect(into: &all, episodes: 3)
    #expect(all.demonstrations?.states.first == 1 && all.playedEpisodes == 3)
  }

  @Test func tooFewSuccessesAreAnError() throws {
    for environments in [1, 3] {
      var collected = CollectedDemonstrations()
      let error = DemonstrationError.tooFewSuccesses(found: 1, played: 40, wanted: 2)
      #expect(throws: error) {
        try collector(divisor: 30, environments: environments)
          .collect(into: &collected, episodes: 2, onlySuccesses: true)
      }
      // What there is, is there.
      #expect(collected.demonstrations?.states.first == 30)
    }
    var collected = CollectedDemonstrations()
    #expect(throws: DemonstrationError.successUnknown(environment: "numbers")) {
      try collector().collect(into: &collected, episodes: 2, onlySuccesses: true)
    }
  }

  @Test func episodesBeforeAnErrorAreThere() throws {
    struct Stuck: Error {}
    var collected = CollectedDemonstrations()
    #expect(throws: Stuck.self) {
      try collector { observation, _ in
        if observation[0] == 4 { throw Stuck() }
        return [0, 0]
      }.collect(into: &collected, episodes: 9)
    }
    #expect(collected.demonstrations?.lengths == [4, 4, 4] && collected.playedEpisodes == 3)
  }

  @Test func actionsAreClippedAndCounted() throws {
    func actions(_ use: DemonstrationCollector.ActionUse) throws -> ([Float], clipped: Int) {
      var collected = CollectedDemonstrations()
      try collector(actions: use) { _, step in step == 2 ? [-9, 0.5] : [1, 1] }
        .collect(into: &collected, episodes: 1)
      return (try #require(collected.demonstrations).actions, collected.clippedSteps)
    }
    let chosen = try actions(.asChosen)
    #expect(chosen.0 == [1, 1, 1, 1, -9, 0.5, 1, 1] && chosen.clipped == 0)
    let clipped = try actions(.clipped(noise: 0))
    #expect(clipped.0 == [1, 1, 1, 1, -2, 0.5, 1, 1] && clipped.clipped == 1)
  }

  /// Noise of 0.1 is 0.1 times half a range: 0.2 and 0.05 here.
  @Test func noiseIsOfTheRange() throws {
    func collect(_ environments: Int) throws -> CollectedDemonstrations {
      var collected = CollectedDemonstrations()
      try collector(environments: environments, actions: .clipped(noise: 0.1)) { _, _ in [0, 0.5] }
        .collect(into: &collected, episodes: 500)
      return collected
    }
    let collected = try collect(1)
    let actions = try #require(collected.demonstrations).actions
    for (place, mean, std) in [(0, 0, 0.2), (1, 0.5, 0.05)] {
      let values = stride(from: place, to: actions.count, by: 2).map { Double(actions[$0]) - mean }
      let found = (values.reduce(0) { $0 + $1 * $1 } / Double(values.count)).squareRoot()
      #expect(abs(found / std - 1) < 0.05)
      #expect(abs(values.reduce(0, +) / Double(values.count)) < std / 10)
    }
    // Noise that leaves the bounds is no fault of who acts.
    #expect(collected.clippedSteps == 0)
    #expect(try collect(3).demonstrations?.actions == actions)
  }

  @Test func lostEpisodesArePlayedAgain() throws {
    var isLost = true
    var collected = CollectedDemonstrations()
    try collector { _, step in
      guard step == 2, isLost else { return [0, 0] }
      isLost = false
      return nil
    }.collect(into: &collected, episodes: 2)
    #expect(collected.demonstrations?.lengths == [4, 4] && collected.playedEpisodes == 2)
    #expect(collected.demonstrations?.states.prefix(4) == [1, 0, 1, 1])
  }
}
