import Diffusion
import Environments
import NeuralNetworks
import Tensors
import TestSupport
import Testing

@testable import DiffusionPolicies

/// Small policies of all kinds, with weights that are drawn.
struct ExportedPolicy: CustomTestStringConvertible, Sendable {
  let testDescription: String
  let configuration: PolicyConfiguration
  let fineTunedSteps: Int
  let rangeOffset: Float

  private init(
    _ name: String, fineTunedSteps: Int = 0, rangeOffset: Float = 0,
    _ configure: (inout PolicyConfiguration) -> Void
  ) {
    testDescription = name
    self.fineTunedSteps = fineTunedSteps
    self.rangeOffset = rangeOffset
    var configuration = PolicyConfiguration()
    configuration.environment.name = "push-t"
    configuration.network.hiddenSizes = [16, 16, 16]
    configuration.denoising.stepCount = 6
    configure(&configuration)
    self.configuration = configuration
  }

  static let diffusion = [
    ExportedPolicy("residual MLP, DDPM") { _ in },
    ExportedPolicy("MLP with all extras, DDIM", rangeOffset: 1e-6) {
      $0.network.isResidual = false
      $0.network.hiddenSizes = [24, 16]
      $0.network.usesLayerNorm = true
      $0.network.observationSizes = [12, 9]
      $0.network.activation = .mish
      $0.observationSteps = 2
      $0.actionSteps = 3
      $0.denoising.sampler = .ddim
      $0.denoising.ddimStepCount = 3
    },
    ExportedPolicy("fine-tuned in part, DDPM", fineTunedSteps: 2) {
      $0.network.activation = .gelu
    },
    ExportedPolicy("fine-tuned in part, DDIM with noise", fineTunedSteps: 2) {
      $0.denoising.sampler = .ddim
      $0.denoising.ddimStepCount = 3
      $0.denoising.ddimEta = 0.7
      $0.denoising.estimateLimit = 0.8
    },
    ExportedPolicy("fine-tuned in all steps", fineTunedSteps: 6) { _ in },
    ExportedPolicy("U-Net") {
      $0.network.kind = .unet
      $0.network.activation = .mish
      $0.network.width = 16
      $0.horizonSteps = 8
    },
    ExportedPolicy("U-Net without extras, fine-tuned", fineTunedSteps: 3) {
      $0.network.kind = .unet
      $0.network.width = 8
      $0.network.multipliers = [1, 2]
      $0.network.groupCount = 0
      $0.network.scalesFeatures = false
      $0.network.usesSmallConditionEncoder = true
      $0.network.kernelSize = 3
    },
    ExportedPolicy("U-Net with an encoder") {
      $0.network.kind = .unet
      $0.network.width = 8
      $0.network.multipliers = [1]
      $0.network.observationSizes = [12, 12]
      $0.observationSteps = 2
    },
  ]

  static let gaussian = [
    ExportedPolicy("Gaussian") { $0.network.kind = .gaussian },
    ExportedPolicy("Gaussian with a predicted standard deviation") {
      $0.network.kind = .gaussian
      $0.network.stdKind = .predicted
      $0.network.hiddenSizes = [16, 16]
      $0.network.isResidual = false
      $0.network.usesLayerNorm = true
      $0.network.squashesMean = false
      $0.observationSteps = 3
    },
  ]

  /// Observations have a component that never varied, actions another scale.
  func makeCheckpoint() throws -> PolicyCheckpoint {
    let normalization = DemonstrationNormalization(
      observations: MinMaxNormalization(
        minimum: [-3, 13.5, 0, 0.25, -1], maximum: [5, 496, 0.001, 0.25, 1],
        rangeOffset: rangeOffset),
      actions: MinMaxNormalization(minimum: [12, -0.5], maximum: [511, 0.5]))
    var checkpoint = PolicyCheckpoint(
      configuration: configuration, normalization: normalization, fineTunedSteps: fineTunedSteps,
      weights: [:], origin: ["seed": "5", "license": "MIT"])
    let layout = checkpoint.layout
    func weights(_ seed: UInt64, _ prefix: String) throws -> [String: Tensor] {
      var random = RandomStream(seed: seed)
      let module: any Module =
        configuration.network.kind == .gaussian
        ? try configuration.makeDensityNetwork(
          GaussianMLP.self, layout, actionSize: 2, random: &random)
        : try configuration.makeDenoiser(layout, actionSize: 2, random: &random)
      return module.parameters.values.prefixed(prefix)
    }
    checkpoint.weights =
      fineTunedSteps == 0
      ? try weights(1, "network")
      : try weights(1, "actor").merging(weights(2, "actor_ft")) { first, _ in first }
    return checkpoint
  }
}

/// What a policy is given, raw, and what it makes of it.
struct ExportedDecision {
  /// `[B, To, Do]`, in the environment's units.
  let observation: Tensor
  /// `[B, N, Tp, Da]`
  let noise: Tensor
  /// The policy's own chunks `[B, Tp, Da]`, normalized.
  let chunk: Tensor

  /// Decides in Attune.
  ///
  /// - Parameters:
  ///   - rows: `B`
  ///   - noiseCount: `N`
  init(of checkpoint: PolicyCheckpoint, rows: Int, noiseCount: Int) throws {
    let configuration = checkpoint.configuration
    let ranges = checkpoint.normalization.observations
    let shape = [rows, configuration.observationSteps, ranges.size]
    var random = RandomStream(seed: 8)
    // Beyond the ranges, too.
    let unit = random.uniform(shape, in: -0.2..<1.2).elements
    let raw = unit.enumerated().map { index, value in
      let (low, high) = (ranges.minimum[index % ranges.size], ranges.maximum[index % ranges.size])
      return low + value * (high == low ? 1 : high - low)
    }
    observation = Tensor(shape: shape, elements: raw)
    let streams = (0..<rows).map { RandomStream(seed: 9, purpose: "export", index: $0) }
    chunk = try checkpoint.makePolicy().decide(
      on: Observations(Tensor(shape: shape, elements: ranges.normalized(raw))), mode: .evaluating,
      streams: streams
    ).chunks
    // As the policy draws: more than a chain without noise needs.
    let drawn = max(2, configuration.denoising.transitionCount + 1)
    let rowShape = [configuration.horizonSteps, checkpoint.actionSize]
    noise = .stacked(
      streams.map { stream in
        var stream = stream
        return stream.normal([drawn] + rowShape).slice(0..<noiseCount)
      })
  }
}
