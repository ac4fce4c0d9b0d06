import Environments
import Tensors
import Testing

@testable import DiffusionPolicies

/// The target task in a process that dies once, at the third step of its first episode: what it pays
/// then means nothing.
private final class LosingTarget: EnvironmentWrapper {
  private final class Process: EnvironmentLane {
    fileprivate(set) var restartCount = 0
  }

  let base: any Environment = TargetEnvironment()
  private let process = Process()
  private let lastReward: Float
  private let loses: Bool
  private var stepCount = 0

  init(lastReward: Float, loses: Bool) { (self.lastReward, self.loses) = (lastReward, loses) }

  var lane: (any EnvironmentLane)? { process }

  func reset(_ start: EpisodeStart) throws {
    stepCount = 0
    try base.reset(start)
  }

  func step(_ action: UnsafeBufferPointer<Float>) throws -> StepOutcome {
    stepCount += 1
    guard loses, stepCount == 3, process.restartCount == 0 else { return try base.step(action) }
    process.restartCount += 1
    var outcome = StepOutcome.lost
    outcome.reward = lastReward
    return outcome
  }

  static func registry(lastReward: Float = 0, loses: Bool = true) -> EnvironmentRegistry {
    var registry = EnvironmentRegistry()
    registry.register(
      .init(name: "target", summary: "a point on a line", timeLimit: 12) { _ in
        LosingTarget(lastReward: lastReward, loses: loses)
      })
    return registry
  }
}

@Suite struct LostEpisodeTests {
  private func training(lastReward: Float) throws -> any PolicyTrainer {
    var configuration = DPPOConfiguration()
    configuration.environments = 4
    configuration.rolloutSteps = 8
    configuration.fineTunedSteps = 3
    configuration.epochs = 2
    configuration.batchSize = 20
    configuration.critic.hiddenSizes = [16, 16, 16]
    return try PolicyAlgorithmRegistry.standard.trainer(
      PolicyTrainingStart(
        try TargetTraining.start(), configuration: configuration, seed: 3,
        registry: LosingTarget.registry(lastReward: lastReward)))
  }

  /// Whatever a lost decision was paid, the same is learned; metrics count it.
  @Test func nobodyLearnsFromLostDecisions() throws {
    let results = try ([0, 1e6] as [Float]).map { reward in
      let training = try training(lastReward: reward)
      let first = try training.iterate()
      #expect(first["environmentRestarts"] == 4 && first["lostDecisions"] == 4)
      #expect(training.finishedEpisodes.allSatisfy { $0.stepCount == 12 })
      let second = try training.iterate()
      #expect(second["environmentRestarts"] == 0 && second["lostDecisions"] == 0)
      return training.checkpoint().weights.mapValues(\.elements)
    }
    #expect(results[0] == results[1])
  }

  /// An evaluation plays a lost episode again, which comes to the same.
  @Test func evaluationsPlayLostEpisodesAgain() throws {
    let checkpoint = try TargetTraining.start()
    let policy = try checkpoint.makePolicy()
    func play(loses: Bool) throws -> [EpisodeStatistics] {
      let environment = try PolicyEnvironment(
        checkpoint.configuration, normalization: TargetTraining.normalization,
        registry: LosingTarget.registry(loses: loses))
      return try PolicyEvaluation(environment, seed: 9, sideBySide: 3)
        .play(policy, episodeCount: 7)
    }
    let (undisturbed, disturbed) = (try play(loses: false), try play(loses: true))
    #expect(undisturbed == disturbed)
    let environment = try PolicyEnvironment(
      checkpoint.configuration, normalization: TargetTraining.normalization,
      registry: LosingTarget.registry())
    #expect(throws: EnvironmentError.self) {
      try PolicyEvaluation(environment, seed: 9).show(policy, episode: 0) { _, _ in }
    }
  }
}
