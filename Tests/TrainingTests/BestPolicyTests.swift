import DiffusionPolicies
import Environments
import Files
import Foundation
import Runs
import Tensors
import TestSupport
import Testing

@testable import Training

/// Which policy of a run is kept as the best.
struct BestPolicyTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private var policy: PolicyCheckpoint {
    let unit = MinMaxNormalization(minimum: [-1], maximum: [1])
    return PolicyCheckpoint(
      configuration: PolicyConfiguration(),
      normalization: DemonstrationNormalization(observations: unit, actions: unit),
      weights: ["network.bias": Tensor([1])])
  }

  /// The iteration of the policy that is kept.
  private func kept() throws -> String? {
    try PolicyCheckpoint(path: folder.file("policy.safetensors")).origin["iteration"]
  }

  @Test func theHighestScoreIsKept() throws {
    var best = BestPolicy(folder.url.path, resumed: nil)
    // Iteration, score, and the iteration that is kept then; equal is not better.
    let offers = [
      (1, -5.0, "1"), (2, -7, "1"), (3, -3, "3"), (4, -3, "3"), (5, 2, "5"), (6, 1, "5"),
    ]
    for (iteration, score, expected) in offers {
      try best.offer(policy, score: score, iteration: iteration)
      #expect(try kept() == expected)
    }
    try best.offer(unscored: policy, iteration: 7)
    #expect(try kept() == "5")
  }

  @Test func aResumedRunKnowsTheHighestScore() throws {
    var first = BestPolicy(folder.url.path, resumed: nil)
    try first.offer(policy, score: 2, iteration: 1)
    var checkpoint = Checkpoint(iteration: 1, tensors: [:], metadata: [:])
    first.store(in: &checkpoint)
    var resumed = BestPolicy(folder.url.path, resumed: checkpoint)
    try resumed.offer(policy, score: 1.5, iteration: 2)
    #expect(try kept() == "1")
    try resumed.offer(policy, score: 2.5, iteration: 3)
    #expect(try kept() == "3")
  }

  /// A folder never stays without a policy.
  @Test func aLostPolicyIsWrittenAgain() throws {
    var best = BestPolicy(folder.url.path, resumed: nil)
    try best.offer(unscored: policy, iteration: 0)
    #expect(try kept() == "0")
    try best.offer(policy, score: 2, iteration: 1)
    try FileManager.default.removeItem(atPath: best.path)
    try best.offer(policy, score: 1, iteration: 2)
    #expect(try kept() == "2")
  }

  /// The loss on held-out demonstrations says nothing about returns.
  @Test func scoresOfAnotherMeasureBeginAnew() throws {
    var best = BestPolicy(folder.url.path, resumed: nil)
    try best.offer(policy, score: 5, of: .validationLoss, iteration: 1)
    try best.offer(policy, score: -3, of: .evaluation, iteration: 2)
    #expect(try kept() == "2")
    try best.offer(policy, score: -4, of: .evaluation, iteration: 3)
    #expect(try kept() == "2")
  }

  /// The best reward is how well a task was done, where it can be done.
  @Test func policiesAreComparedByTheTask() {
    var episode = EpisodeStatistics()
    episode.totalReward = 9
    episode.bestReward = 0.5
    #expect(EvaluationSummary(environment: "hopper", [episode]).score == 9)
    episode.isSuccess = false
    #expect(EvaluationSummary(environment: "push-t", [episode]).score == 0.5)
  }
}
