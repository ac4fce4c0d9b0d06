import Configuration
import Environments
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
  /// Whether it sees what the policy's encoder makes of images, which must not learn then
  /// (`policy.encoder.trained=false`); otherwise it learns an encoder of its own, as in the reference.
  public var sharesEncoder = false

  /// DPPO's critic: a residual MLP of 256^3 with Mish.
  public init() {}

  /// Layers have a size, and make blocks.
  public func checkRelations() throws {
    try NetworkConfiguration.validateMLP(
      hiddenSizes, blockSizes: isResidual ? hiddenSizes : nil, field: "hiddenSizes")
  }

  /// A critic, which sees an encoding `[B, Dc]`.
  ///
  /// - Throws: `ConfigurationError` if the numbers cannot make one.
  public func makeCritic(
    conditionSize: Int, random: inout some RandomSource
  ) throws -> Critic {
    try validate()
    return Critic(
      conditionSize: conditionSize, hiddenSizes: hiddenSizes, activation: activation,
      isResidual: isResidual, usesLayerNorm: usesLayerNorm, random: &random)
  }
}

/// The value of a state from its encoded observations alone; weights are named as in the DPPO
/// reference.
public final class Critic: Module {
  private let network: ConfiguredMLP

  /// - Parameters:
  ///   - conditionSize: `Dc`
  ///   - hiddenSizes: the hidden layers.
  ///   - activation: between layers.
  ///   - isResidual: whether hidden layers are residual blocks.
  ///   - usesLayerNorm: normalizes hidden layers.
  ///   - random: draws the first weights.
  public init(
    conditionSize: Int, hiddenSizes: [Int] = [256, 256, 256], activation: Activation = .mish,
    isResidual: Bool = true, usesLayerNorm: Bool = false, random: inout some RandomSource
  ) {
    network = ConfiguredMLP(
      sizes: [conditionSize] + hiddenSizes + [1], activation: activation,
      isResidual: isResidual, usesLayerNorm: usesLayerNorm, random: &random)
  }

  /// `[B, Dc]` to `[B]`.
  public func callAsFunction(_ condition: Tensor) -> Tensor {
    network(condition).reshaped(to: [condition.shape[0]])
  }

  /// `Q1.*`
  public func collect(into parameters: inout NamedParameters) {
    parameters.add("Q1", network.module)
  }
}

/// A critic that sees observations, by an encoder of its own or by what the policy's has made of
/// them.
public final class ObservingCritic: Module {
  /// Reads the observations; nil where it sees their encoding.
  public let encoder: (any ObservationEncoder)?
  /// Sees their encoding.
  public let critic: Critic

  /// A critic behind an encoder of its own, or behind the policy's.
  public init(_ encoder: (any ObservationEncoder)?, _ critic: Critic) {
    self.encoder = encoder
    self.critic = critic
  }

  /// The values of `B` observations, `[B]`.
  public func callAsFunction(_ observations: Observations) -> Tensor {
    if let encoder { return critic(encoder(observations)) }
    guard let encoding = observations.encoding else {
      preconditionFailure("a critic without an encoder sees observations that nobody encoded")
    }
    return critic(encoding)
  }

  /// The critic's, and `encoder.*` where it has its own.
  public func collect(into parameters: inout NamedParameters) {
    critic.collect(into: &parameters)
    parameters.add("encoder", encoder)
  }
}
