import Environments
import NeuralNetworks
import Tensors
import TestSupport
import Testing

@testable import DiffusionPolicies

/// Pretraining on demonstrations of a robot that nobody simulates, some of which are held out.
struct HeldOutEpisodesTests {
  private let folder: TemporaryFolder

  /// Ten episodes of 9 to 18 steps: the first observation is the episode's number.
  init() throws {
    folder = try TemporaryFolder()
    var demonstrations = Demonstrations(stateSize: 2, actionSize: 3)
    var random = RandomStream(seed: 1)
    for episode in 0..<10 {
      let length = 9 + episode
      for _ in 0..<length {
        demonstrations.states += [Float(episode), random.uniform([1]).scalar]
        demonstrations.actions += random.uniform([3], in: -1..<1).elements
      }
      demonstrations.rewards += Array(repeating: 0, count: length)
      demonstrations.terminals += Array(repeating: false, count: length)
      demonstrations.lengths.append(length)
    }
    try demonstrations.write(to: folder.file("demonstrations.npz"))
  }

  private func training(
    seed: UInt64 = 3, kind: NetworkConfiguration.Kind = .mlp
  ) throws -> Pretraining {
    var policy = PolicyConfiguration()
    policy.environment.name = "none"
    policy.network.kind = kind
    policy.network.hiddenSizes = [8, 8, 8]
    policy.denoising.stepCount = 4
    var demonstrations = DemonstrationConfiguration()
    demonstrations.path = folder.file("demonstrations.npz")
    demonstrations.validationFraction = 0.3
    var configuration = PretrainingConfiguration()
    configuration.batchSize = 16
    configuration.emaStart = 0
    configuration.emaInterval = 1
    return try Pretraining(
      policy: policy, configuration: configuration, demonstrations: demonstrations, seed: seed)
  }

  /// The episodes that a part's chunks are of.
  private func episodes(_ part: ChunkDataset?, _ training: Pretraining) throws -> Set<Int> {
    let part = try #require(part)
    let states = part.batch(Array(0..<part.count)).observations.state.elements
    let rows = training.normalization.observations.denormalized(states)
    return Set(stride(from: 0, to: rows.count, by: 2).map { Int(rows[$0].rounded()) })
  }

  /// Sizes are those of the data, and no step of an episode that is held out is learned from; a
  /// resumed training holds out the same ones.
  @Test(arguments: [NetworkConfiguration.Kind.mlp, .gaussian, .gmm])
  func wholeEpisodesAreHeldOut(_ kind: NetworkConfiguration.Kind) throws {
    let first = try training(kind: kind)
    let trained = try episodes(first.dataset, first)
    let heldOut = try episodes(first.validation, first)
    #expect(heldOut.count == 3 && trained.count == 7)
    #expect(trained.union(heldOut) == Set(0..<10))
    let checkpoint = first.checkpoint()
    #expect(checkpoint.observationSize == 2 && checkpoint.actionSize == 3)

    for _ in 0..<3 { _ = try first.step() }
    let second = try training(kind: kind)
    try second.restore(first.trainingState())
    #expect(try episodes(second.validation, second) == heldOut)
    let loss = try #require(try first.validationLoss())
    #expect(loss.isFinite)
    #expect(try second.validationLoss() == loss)
    // Another seed holds out others.
    let others = try (4..<8).map { (seed: UInt64) in
      let other = try training(seed: seed, kind: kind)
      return try episodes(other.validation, other)
    }
    #expect(Set(others + [heldOut]).count > 1)
  }

  /// Such a policy gives actions for its own robot; here there is nothing to play it in.
  @Test func nothingIsPlayed() throws {
    let checkpoint = try training(kind: .gmm).checkpoint()
    let chunks = try checkpoint.makePolicy().decide(
      on: Observations(.zeros([2, 1, 2])), mode: .evaluating,
      streams: (0..<2).map { RandomStream(seed: 1, index: $0) }
    ).chunks
    #expect(chunks.shape == [2, 4, 3])
    let error = #expect(throws: PolicyError.self) {
      try PolicyEnvironment(checkpoint.configuration, normalization: checkpoint.normalization)
    }
    #expect(error == .noEnvironment)
    #expect(error?.description.contains("attune policy serve") == true)
  }
}
