import Foundation
import NeuralNetworks
import Tensors

/// The squashed Gaussian of soft actor-critic (Haarnoja et al., arXiv:1812.05905, appendix C): a =
/// tanh(mean(s) + std(s) e), e ~ N(0, I). Weights are named as in Stable-Baselines3.
public final class TanhGaussianActor: Module {
  private let trunk: MLP
  private let mean: Linear
  private let logStd: Linear
  /// `A`
  public let actionSize: Int
  /// Stable-Baselines' limits on ln(standard deviation).
  private static let logStdRange: (Float, Float) = (-20, 2)

  /// - Parameters:
  ///   - observationSize: `O`
  ///   - actionSize: `A`
  ///   - hiddenSizes: the hidden layers, at least one.
  ///   - activation: after each of them.
  ///   - usesLayerNorm: normalizes hidden layers before their activation.
  ///   - random: draws the first weights.
  public init(
    observationSize: Int, actionSize: Int, hiddenSizes: [Int], activation: Activation,
    usesLayerNorm: Bool, random: RandomStream
  ) {
    precondition(!hiddenSizes.isEmpty, "an actor without hidden layers")
    var random = random
    trunk = MLP(
      sizes: [observationSize] + hiddenSizes, activation: activation,
      outputActivation: activation, usesLayerNorm: usesLayerNorm,
      usesFinalLayerNorm: usesLayerNorm, random: &random)
    let width = hiddenSizes[hiddenSizes.count - 1]
    mean = Linear(inputSize: width, outputSize: actionSize, random: &random)
    logStd = Linear(inputSize: width, outputSize: actionSize, random: &random)
    self.actionSize = actionSize
  }

  /// Actions `[N, A]` between -1 and 1 and their log-densities `[N]`, differentiable.
  ///
  /// - Parameters:
  ///   - observations: `[N, O]`
  ///   - noise: `[N, A]` from N(0, I).
  public func sample(
    _ observations: Tensor, noise: Tensor
  ) -> (actions: Tensor, logProbabilities: Tensor) {
    let features = trunk(observations)  // [N, D]
    let (low, high) = Self.logStdRange
    let logStd = logStd(features).clamped(to: low, high)
    let unbounded = mean(features) + logStd.exp() * noise  // [N, A]
    // ln N(u) - ln(da/du), da/du = 1 - tanh(u)^2 = exp(2 (ln 2 - u - softplus(-2 u))).
    let gaussian = noise.squared() * -0.5 - logStd - Float(0.5 * log(2 * Double.pi))
    let slope = (unbounded + (unbounded * -2).softplus() - Float(log(2.0))) * 2
    return (unbounded.tanh(), (gaussian + slope).sum(along: 1))
  }

  /// tanh(mean), `[N, A]`.
  public func meanActions(_ observations: Tensor) -> Tensor { mean(trunk(observations)).tanh() }

  /// `latent_pi.*`, `mu.*`, `log_std.*`
  public func collect(into parameters: inout NamedParameters) {
    parameters.add("latent_pi", trunk)
    parameters.add("mu", mean)
    parameters.add("log_std", logStd)
  }
}

/// The weight of entropy in soft actor-critic, learned so that the entropy is a given one (Haarnoja et al.,
/// arXiv:1812.05905, section 5).
public final class EntropyTemperature: Module {
  private let logarithm: Parameter
  /// The entropy that is held, in nats.
  public let targetEntropy: Double

  /// A temperature that starts at `initial`.
  public init(initial: Double, targetEntropy: Double) {
    logarithm = Parameter(Tensor([Float(log(initial))]))
    self.targetEntropy = targetEntropy
  }

  /// alpha
  public var value: Float { exp(logarithm.value.scalar) }

  /// -mean(ln alpha (ln pi + H)): its gradient raises alpha where the entropy is below H.
  public func loss(logProbabilities: Tensor) -> Tensor {
    let excess = logProbabilities.detached() + Float(targetEntropy)
    return -(logarithm.tensor * excess.mean()).sum()
  }

  /// `log_ent_coef`
  public func collect(into parameters: inout NamedParameters) {
    parameters.add("log_ent_coef", logarithm)
  }
}

/// What soft actor-critic makes small, as sums over rows.
public enum SoftActorCritic {
  /// R + discount (value - alpha ln pi), `[N]`: what critics learn.
  public static func targets(
    _ batch: ReplayBatch, nextValues: Tensor, nextLogProbabilities: Tensor, temperature: Float
  ) -> Tensor {
    batch.rewards + batch.discounts * (nextValues - nextLogProbabilities * temperature)
  }

  /// Half the squared errors of all critics, summed over critics and rows.
  public static func criticLoss(_ values: [Tensor], targets: Tensor) -> Tensor {
    let losses = values.map { ($0 - targets).squared().sum() }
    return losses.dropFirst().reduce(losses[0], +) * 0.5
  }

  /// alpha ln pi - Q, summed over rows.
  public static func actorLoss(
    logProbabilities: Tensor, values: Tensor, temperature: Float
  ) -> Tensor {
    (logProbabilities * temperature - values).sum()
  }
}
