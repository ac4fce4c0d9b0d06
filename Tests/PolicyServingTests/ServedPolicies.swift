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

  /// Push-T from images of 24 x 24 pixels and the agent's place, by a tiny vision transformer that has
  /// learned nothing; decisions see two observations, chunks have two actions.
  static func pixelCheckpoint() throws -> PolicyCheckpoint {
    var configuration = PolicyConfiguration()
    configuration.environment.name = "push-t"
    configuration.environment.parameters = [
      "observation": "pixels", "imageSize": "24", "timeLimit": "12",
    ]
    configuration.observationSteps = 2
    configuration.horizonSteps = 4
    configuration.actionSteps = 2
    configuration.network.hiddenSizes = [16, 16, 16]
    configuration.denoising.stepCount = 3
    configuration.encoder.kind = "vit"
    configuration.encoder.vit.width = 8
    configuration.encoder.vit.headCount = 2
    configuration.encoder.vit.featureCount = 8
    let cameras = try configuration.environment.make().cameras
    var random = RandomStream(seed: 8)
    let network = try configuration.makeDenoiser(
      ObservationLayout(stepCount: 2, stateSize: 2, cameras: cameras), actionSize: 2,
      random: &random)
    return PolicyCheckpoint(
      configuration: configuration,
      normalization: DemonstrationNormalization(
        observations: MinMaxNormalization(minimum: [0, 0], maximum: [512, 512]),
        actions: MinMaxNormalization(minimum: [0, 0], maximum: [512, 512])),
      weights: network.parameters.values.prefixed("network"), cameras: cameras,
      origin: ["from": "a test"])
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
