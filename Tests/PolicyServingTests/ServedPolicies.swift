import DiffusionPolicies
import Environments
import Foundation
import NeuralNetworks
import Tensors
import TestSupport

@testable import PolicyServing

/// Policies to be served in tests.
enum ServedPolicies {
  /// Hopper's sizes, and a network that decides quickly and has learned nothing; its chunks have two
  /// actions and its decisions see three observations.
  static func smallCheckpoint(
    kind: NetworkConfiguration.Kind = .mlp
  ) throws -> PolicyCheckpoint {
    var configuration = PolicyConfiguration()
    configuration.environment.name = "hopper"
    configuration.observationSteps = 3
    configuration.horizonSteps = 4
    configuration.actionSteps = 2
    configuration.network.kind = kind
    configuration.network.hiddenSizes = [16, 16, 16]
    configuration.denoising.stepCount = 5
    var random = RandomStream(seed: 5)
    let network: any Module =
      if let type = kind.densityNetwork {
        try configuration.network.makeDensityNetwork(
          type, actionSize: 3, horizonSteps: 4, conditionSize: 33, random: &random)
      } else {
        try configuration.network.makeDenoiser(
          actionSize: 3, horizonSteps: 4, conditionSize: 33, random: &random)
      }
    return PolicyCheckpoint(
      configuration: configuration,
      normalization: DemonstrationNormalization(
        observations: MinMaxNormalization(
          minimum: (0..<11).map { -2 - Float($0) / 7 }, maximum: (0..<11).map { 2 + Float($0) / 3 }),
        actions: MinMaxNormalization(minimum: [-1, -0.5, -0.9], maximum: [1, 0.7, 0.3])),
      weights: network.parameters.values.prefixed("network"), origin: ["from": "a test"])
  }

  static func small() throws -> ServedPolicy {
    try ServedPolicy(smallCheckpoint(), name: "small.safetensors")
  }

  /// The fine-tuned Hopper of the repository.
  static func hopperCheckpoint() throws -> PolicyCheckpoint {
    try PolicyCheckpoint(path: Repository.path("checkpoints/hopper-finetuned.safetensors"))
  }

  /// Observations that differ from one another.
  static func observations(_ count: Int, seed: UInt64 = 3) -> [[Float]] {
    var random = RandomStream(seed: seed, purpose: "observations")
    return (0..<count).map { _ in random.normal([11]).elements }
  }

  static func json(_ observation: [Float], _ more: String = "") -> String {
    "{\"observation\":[\(observation.map { "\($0)" }.joined(separator: ","))]\(more)}"
  }
}

extension [String: Tensor] {
  fileprivate func prefixed(_ prefix: String) -> [String: Tensor] {
    Dictionary(uniqueKeysWithValues: map { ("\(prefix).\($0.key)", $0.value) })
  }
}
