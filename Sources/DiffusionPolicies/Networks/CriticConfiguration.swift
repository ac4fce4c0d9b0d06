import Configuration
import NeuralNetworks
import Tensors

/// The choices that make a critic, as presets and checkpoints keep them.
public struct CriticConfiguration: Settings {
  /// The hidden layers; of one width and of odd number if residual.
  public var hiddenSizes = [256, 256, 256]
  /// Between layers.
  public var activation = Activation.mish
  /// Whether hidden layers are residual blocks.
  public var isResidual = true
  /// Whether hidden layers are normalized.
  public var usesLayerNorm = false

  /// DPPO's critic: a residual MLP of 256^3 with Mish.
  public init() {}

  /// Layers have a size, and make blocks.
  public func checkRelations() throws {
    try NetworkConfiguration.validateMLP(
      hiddenSizes, blockSizes: isResidual ? hiddenSizes : nil, field: "hiddenSizes")
  }

  /// A critic of observations `[B, To, Do]`.
  ///
  /// - Throws: `ConfigurationError` if the numbers cannot make one.
  public func makeCritic(
    observationSize: Int, observationSteps: Int, random: inout some RandomSource
  ) throws -> Critic {
    try validate()
    return Critic(
      conditionSize: observationSize * observationSteps, hiddenSizes: hiddenSizes,
      activation: activation, isResidual: isResidual, usesLayerNorm: usesLayerNorm,
      random: &random)
  }
}
