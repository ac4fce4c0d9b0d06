import Diffusion
import Environments
import Foundation
import NeuralNetworks
import Tensors

/// A network that gives a normal distribution over whole action chunks in one step.
public protocol GaussianPolicyNetwork: Module {
  /// The distribution of chunks `[B, Tp, Da]` after observations encoded as `[B, Dc]`; its standard
  /// deviation broadcasts to the mean.
  func callAsFunction(_ condition: Tensor) -> Transition
}

/// The Gaussian MLP policy that DPPO is compared with; weights are named as in the
/// reference.
public final class GaussianMLP: GaussianPolicyNetwork {
  /// Where the standard deviation comes from.
  public enum StandardDeviation: Sendable {
    /// It stays as it is.
    case fixed(Float)
    /// A parameter for each action dimension, the same in all states.
    case learned(initial: Float)
    /// A second head of the network.
    case predicted
  }

  private let base: ConfiguredMLP?
  private let mean: ConfiguredMLP
  private let predictedLogVariance: MLP?
  private let learnedLogVariance: Parameter?
  private let minimumLogVariance: Parameter
  private let maximumLogVariance: Parameter
  private let fixedStd: Float?
  private let squashesMean: Bool
  private let chunkShape: [Int]

  /// - Parameters:
  ///   - actionSize: `Da`
  ///   - horizonSteps: `Tp`
  ///   - conditionSize: `Dc`
  ///   - hiddenSizes: the hidden layers.
  ///   - activation: between layers.
  ///   - isResidual: whether hidden layers are residual blocks.
  ///   - usesLayerNorm: normalizes hidden layers.
  ///   - std: where the standard deviation comes from.
  ///   - stdRange: the bounds of a standard deviation that is not fixed.
  ///   - squashesMean: whether the mean passes through tanh.
  ///   - random: draws the first weights.
  public init(
    actionSize: Int, horizonSteps: Int, conditionSize: Int, hiddenSizes: [Int],
    activation: Activation = .mish, isResidual: Bool = false, usesLayerNorm: Bool = false,
    std: StandardDeviation = .fixed(0.1), stdRange: ClosedRange<Float> = 0.01...1,
    squashesMean: Bool = true, random: inout some RandomSource
  ) {
    chunkShape = [horizonSteps, actionSize]
    let chunkSize = horizonSteps * actionSize
    self.squashesMean = squashesMean
    func logVariance(_ std: Float) -> Tensor { Tensor(logf(std * std)) }
    minimumLogVariance = Parameter(logVariance(stdRange.lowerBound))
    maximumLogVariance = Parameter(logVariance(stdRange.upperBound))
    minimumLogVariance.isTrainable = false
    maximumLogVariance.isTrainable = false
    let sizes = [conditionSize] + hiddenSizes
    if case .predicted = std {
      base = ConfiguredMLP(
        sizes: sizes, activation: activation, outputActivation: activation,
        isResidual: isResidual, usesLayerNorm: usesLayerNorm, usesFinalLayerNorm: usesLayerNorm,
        random: &random)
      let head = [sizes[sizes.count - 1], chunkSize]
      mean = .plain(MLP(sizes: head, activation: .tanh, random: &random))
      predictedLogVariance = MLP(sizes: head, activation: .tanh, random: &random)
    } else {
      base = nil
      mean = ConfiguredMLP(
        sizes: sizes + [chunkSize], activation: activation, isResidual: isResidual,
        usesLayerNorm: usesLayerNorm, random: &random)
      predictedLogVariance = nil
    }
    if case .learned(let initial) = std {
      learnedLogVariance = Parameter(logVariance(initial).broadcast(to: [actionSize]))
    } else {
      learnedLogVariance = nil
    }
    if case .fixed(let value) = std { fixedStd = value } else { fixedStd = nil }
  }

  /// The distribution of chunks `[B, Tp, Da]`.
  public func callAsFunction(_ condition: Tensor) -> Transition {
    let features = base.map { $0(condition) } ?? condition
    let shape = [condition.shape[0]] + chunkShape
    let raw = mean(features).reshaped(to: shape)
    return Transition(
      mean: squashesMean ? raw.tanh() : raw, standardDeviation: std(features, shape))
  }

  /// `[]`, `[Da]` or `[B, Tp, Da]`.
  private func std(_ features: Tensor, _ shape: [Int]) -> Tensor {
    if let fixedStd { return Tensor(fixedStd) }
    let lower = minimumLogVariance.value.scalar
    let upper = maximumLogVariance.value.scalar
    if let learnedLogVariance {
      return (learnedLogVariance.tensor.clamped(to: lower, upper) * 0.5).exp()
    }
    guard let predictedLogVariance else {
      preconditionFailure("a standard deviation is fixed, learned or predicted")
    }
    // tanh covers the whole range between the bounds.
    let position = predictedLogVariance(features).reshaped(to: shape).tanh()
    let logVariance = (position + 1) * (0.5 * (upper - lower)) + lower
    return (logVariance * 0.5).exp()
  }

  /// `logvar`, `logvar_min`, `logvar_max`, `mlp_base.*`, `mlp_mean.*`, `mlp_logvar.*`
  public func collect(into parameters: inout NamedParameters) {
    parameters.add("logvar", learnedLogVariance)
    parameters.add("logvar_min", minimumLogVariance)
    parameters.add("logvar_max", maximumLogVariance)
    parameters.add("mlp_base", base?.module)
    parameters.add("mlp_mean", mean.module)
    parameters.add("mlp_logvar", predictedLogVariance)
  }
}

/// A Gaussian policy's network that sees observations.
public final class ObservingGaussian: Module {
  /// Reads the observations.
  public let encoder: any ObservationEncoder
  /// Sees their encoding.
  public let network: GaussianMLP

  /// A network behind an encoder.
  public init(_ encoder: any ObservationEncoder, _ network: GaussianMLP) {
    self.encoder = encoder
    self.network = network
  }

  /// The distribution of chunks `[B, Tp, Da]` after `B` observations.
  public func callAsFunction(_ observations: Observations) -> Transition {
    network(encoder(observations))
  }

  /// The network's, and `encoder.*`.
  public func collect(into parameters: inout NamedParameters) {
    network.collect(into: &parameters)
    parameters.add("encoder", encoder)
  }
}
