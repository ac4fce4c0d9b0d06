import Tensors

/// One step of a denoising chain: the distribution of the next sample.
public struct Transition: Sendable {
  /// The mean `[B, ...]`.
  public let mean: Tensor
  /// Broadcast to the mean; nil where the transition is deterministic.
  public let standardDeviation: Tensor?

  /// A Gaussian transition, or a deterministic one.
  public init(mean: Tensor, standardDeviation: Tensor? = nil) {
    self.mean = mean
    self.standardDeviation = standardDeviation
  }

  /// The next sample for the given standard normal noise: mean + deviation x noise.
  public func sample(noise: Tensor) -> Tensor {
    guard let standardDeviation else { return mean }
    return mean + standardDeviation * noise
  }

  /// The log-density of `next` at every element `[B, ...]`, differentiable.
  public func logProbability(of next: Tensor) -> Tensor {
    guard let standardDeviation else {
      preconditionFailure(
        "a deterministic transition has no density: give the process a deviation floor")
    }
    return next.gaussianLogDensity(mean: mean, standardDeviation: standardDeviation)
  }

  /// The Kullback-Leibler divergence of this transition from another at every element `[B, ...]`,
  /// differentiable:
  /// KL(N(m, s^2) || N(n, t^2)) = ((s / t)^2 - 1 - 2 ln(s / t) + ((m - n) / t)^2) / 2.
  public func divergence(from other: Transition) -> Tensor {
    guard let standardDeviation, let otherDeviation = other.standardDeviation else {
      preconditionFailure("a deterministic transition has no divergence from another")
    }
    let ratio = standardDeviation / otherDeviation
    let spread = ratio.squared() - 1 - 2 * ratio.log()  // 0 where the deviations are equal
    return 0.5 * (spread + ((mean - other.mean) / otherDeviation).squared())
  }

  /// The same transition with a deviation of at least `floor`; a deterministic one gets `floor`.
  public func flooringDeviation(at floor: Float) -> Transition {
    guard floor > 0 else { return self }
    let deviation = standardDeviation.map { Tensor.maximum($0, Tensor(floor)) } ?? Tensor(floor)
    return Transition(mean: mean, standardDeviation: deviation)
  }
}
