import Environments
import Tensors
import Testing

@testable import DiffusionPolicies

/// How episodes of an evaluation are played.
struct PolicyEvaluationTests {
  private let environment: PolicyEnvironment
  private let checkpoint: PolicyCheckpoint

  init() throws {
    checkpoint = try TargetTraining.start()
    environment = try TargetTraining.environment(checkpoint.configuration)
  }

  /// A policy that explores so wildly that it leaves the line now and then.
  private func wild() throws -> any ActingPolicy {
    var exploration = DiffusionPolicy.Exploration()
    exploration.minSamplingStd = 2
    return try checkpoint.makePolicy(exploration: exploration, fineTuning: 5)
  }

  /// Episodes have starts of their own, and decisions noise of their own.
  @Test func startsAndNoiseDiffer() throws {
    var starts: Set<[Float]> = []
    for episode in 0..<4 {
      let slot = try EnvironmentWorker(try environment.make(), episode: episode, seed: 9)
      starts.insert(try slot.observations.state.elements)
    }
    #expect(starts.count == 4)
    let slot = try EnvironmentWorker(try environment.make(), episode: 0, seed: 9)
    var noise: Set<UInt64> = []
    for _ in 0..<3 {
      var stream = slot.stream
      noise.insert(stream.next())
      try slot.step(.zeros([2, 1]))
    }
    #expect(noise.count == 3)
  }

  /// Goes to the right end of the line, which is the farther the more to the left it starts.
  private final class Rightward: ActingPolicy {
    func decide(
      on observations: Observations, mode: ActionMode, streams: [RandomStream]
    ) -> ChunkDecisions {
      let count = observations.count
      return ChunkDecisions(
        chunks: .ones([count, 4, 1]), states: .zeros([count, 1, 4, 1]),
        logProbabilities: .zeros([count, 0]))
    }
  }

  /// Four side by side or one after the other: all stay in their places, whichever ends first.
  @Test func episodesStayInOrder() throws {
    for (policy, mode) in [
      (try wild(), .exploring), (Rightward(), .evaluating),
    ] as [(any ActingPolicy, ActionMode)] {
      let one = try PolicyEvaluation(environment, seed: 9, sideBySide: 1)
        .play(policy, episodeCount: 12, mode: mode)
      let four = try PolicyEvaluation(environment, seed: 9, sideBySide: 4)
        .play(policy, episodeCount: 12, mode: mode)
      #expect(one == four)
      if mode == .evaluating { #expect(Set(one.map(\.stepCount)).count > 2) }
    }
  }

  @Test func evaluationDoesNotExplore() throws {
    let evaluation = PolicyEvaluation(environment, seed: 9)
    let policy = try wild()
    let usual = try evaluation.play(policy, episodeCount: 3)
    #expect(try evaluation.play(checkpoint.makePolicy(), episodeCount: 3) == usual)
    #expect(try evaluation.play(policy, episodeCount: 3, mode: .exploring) != usual)
  }
}
