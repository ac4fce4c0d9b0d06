import DiffusionPolicies
import NeuralNetworks
import Tensors

/// The networks of `gmm.safetensors`: three modes of chunks of four actions of two numbers.
enum MixtureGoldens {
  /// A network as `gmm.py` makes it, but for its weights.
  static func network(
    random: inout RandomStream, _ change: (inout NetworkConfiguration) -> Void
  ) throws -> GaussianMixtureMLP {
    var configuration = NetworkConfiguration()
    configuration.kind = .gmm
    configuration.modes = 3
    configuration.hiddenSizes = [16, 16, 16]
    change(&configuration)
    return try configuration.makeDensityNetwork(
      GaussianMixtureMLP.self, actionSize: 2, horizonSteps: 4, conditionSize: 10, random: &random)
  }

  /// A standard deviation of 0.1.
  static func fixed(_ configuration: inout NetworkConfiguration) {}

  /// Plain layers with LayerNorm, and a standard deviation for each mode and action dimension.
  static func learned(_ configuration: inout NetworkConfiguration) {
    configuration.hiddenSizes = [16, 12]
    configuration.activation = .mish
    configuration.isResidual = false
    configuration.usesLayerNorm = true
    configuration.stdKind = .learned
    configuration.maxStd = 0.2
  }

  /// Standard deviations of a network of their own, three quarters of them at a bound.
  static func predicted(_ configuration: inout NetworkConfiguration) {
    configuration.stdKind = .predicted
    configuration.minStd = 0.9
    configuration.maxStd = 1.05
  }

  static let cases: [(name: String, change: @Sendable (inout NetworkConfiguration) -> Void)] = [
    ("gmm-fixed", { fixed(&$0) }), ("gmm-learned", { learned(&$0) }),
    ("gmm-predicted", { predicted(&$0) }),
  ]
}
