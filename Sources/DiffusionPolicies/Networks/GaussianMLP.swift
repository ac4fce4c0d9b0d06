import Diffusion
import Foundation
import NeuralNetworks
import Tensors

/// A network that gives a normal distribution over whole action chunks in one step.
public protocol GaussianPolicyNetwork: Module {
  /// The distribution of chunks `[B, Tp, Da]` after observations `[B, To, Do]`; its deviation
  /// broadcasts to the mean.
  func callAsFunction(_ observations: Tensor) -> Transition
}

/// The Gaussian perceptron policy that DPPO is compared with; weights are named as in the
/// reference.
public final class GaussianMLP: GaussianPolicyNetwork {
  /// Where the deviation comes from.
  public enum Deviation: Sendable {
    /// It stays as it is.
    case fixed(Float)
    /// A parameter for each action dimension, the same in all states.
    case learned(initial: Float)
    /// A second head of the network.
    case predicted
  }

  private let base: Perceptron?
  private let mean: Perceptron
  private let predictedLogVariance: MLP?
  private let learnedLogVariance: Parameter?
  private let minimumLogVariance: Parameter
  private let maximumLogVariance: Parameter
  private let fixedDeviation: Float?
  private let squashesMean: Bool
  private let chunkShape: [Int]

  /// - Parameters:
  ///   - actionSize: `Da`
  ///   - predictionCount: `Tp`
  ///   - conditionSize: `To Do`
  ///   - hiddenSizes: the hidden layers.
  ///   - activation: between layers.
  ///   - isResidual: whether hidden layers are residual blocks.
  ///   - usesLayerNorm: normalizes hidden layers.
  ///   - deviation: where the deviation comes from.
  ///   - deviationRange: the bounds of a deviation that is not fixed.
  ///   - squashesMean: whether the mean passes through tanh.
  ///   - random: draws the first weights.
  public init(
    actionSize: Int, predictionCount: Int, conditionSize: Int, hiddenSizes: [Int],
    activation: Activation = .mish, isResidual: Bool = false, usesLayerNorm: Bool = false,
    deviation: Deviation = .fixed(0.1), deviationRange: ClosedRange<Float> = 0.01...1,
    squashesMean: Bool = true, random: inout some RandomSource
  ) {
    chunkShape = [predictionCount, actionSize]
    let chunkSize = predictionCount * actionSize
    self.squashesMean = squashesMean
    func logVariance(_ deviation: Float) -> Tensor { Tensor(logf(deviation * deviation)) }
    minimumLogVariance = Parameter(logVariance(deviationRange.lowerBound))
    maximumLogVariance = Parameter(logVariance(deviationRange.upperBound))
    minimumLogVariance.isTrainable = false
    maximumLogVariance.isTrainable = false
    let sizes = [conditionSize] + hiddenSizes
    if case .predicted = deviation {
      base = Perceptron(
        sizes: sizes, activation: activation, outputActivation: activation,
        isResidual: isResidual, usesLayerNorm: usesLayerNorm, usesFinalLayerNorm: usesLayerNorm,
        random: &random)
      let head = [sizes[sizes.count - 1], chunkSize]
      mean = .plain(MLP(sizes: head, activation: .tanh, random: &random))
      predictedLogVariance = MLP(sizes: head, activation: .tanh, random: &random)
    } else {
      base = nil
      mean = Perceptron(
        sizes: sizes + [chunkSize], activation: activation, isResidual: isResidual,
        usesLayerNorm: usesLayerNorm, random: &random)
      predictedLogVariance = nil
    }
    if case .learned(let initial) = deviation {
      learnedLogVariance = Parameter(logVariance(initial).broadcast(to: [actionSize]))
    } else {
      learnedLogVariance = nil
    }
    if case .fixed(let value) = deviation { fixedDeviation = value } else { fixedDeviation = nil }
  }

  /// The distribution of chunks `[B, Tp, Da]`.
  public func callAsFunction(_ observations: Tensor) -> Transition {
    let flat = observations.flattened(from: 1)  // [B, To Do]
    let features = base.map { $0(flat) } ?? flat
    let shape = [observations.shape[0]] + chunkShape
    let raw = mean(features).reshaped(to: shape)
    return Transition(
      mean: squashesMean ? raw.tanh() : raw, standardDeviation: deviation(features, shape))
  }

  /// `[]`, `[Da]` or `[B, Tp, Da]`.
  private func deviation(_ features: Tensor, _ shape: [Int]) -> Tensor {
    if let fixedDeviation { return Tensor(fixedDeviation) }
    let lower = minimumLogVariance.value.scalar
    let upper = maximumLogVariance.value.scalar
    if let learnedLogVariance {
      return (learnedLogVariance.tensor.clamped(to: lower, upper) * 0.5).exp()
    }
    guard let predictedLogVariance else {
      preconditionFailure("a deviation is fixed, learned or predicted")
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
