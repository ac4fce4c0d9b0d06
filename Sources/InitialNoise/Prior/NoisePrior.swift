import Diffusion
import Tensors

/// A diagonal Gaussian over the initial noise of one prompt, z_T ~ N(mu, diag sigma^2): what FIND
/// learns (arXiv:2407.19453, section 3.2). Before learning it is N(0, I).
public struct NoisePrior: Sendable {
  /// mu, `[h, w, C]`.
  public var mean: Tensor
  /// sigma, `[h, w, C]`, above 0.
  public var standardDeviation: Tensor

  /// A prior of the given moments.
  public init(mean: Tensor, standardDeviation: Tensor) {
    precondition(
      mean.shape == standardDeviation.shape && mean.rank == 3,
      "a prior has moments [h, w, C], not \(mean.shape) and \(standardDeviation.shape)")
    self.mean = mean
    self.standardDeviation = standardDeviation
  }

  /// N(0, I) over samples of shape `[h, w, C]`.
  public init(standardOfShape shape: [Int]) {
    self.init(mean: .zeros(shape), standardDeviation: .ones(shape))
  }

  /// `[h, w, C]`
  public var shape: [Int] { mean.shape }

  /// Draws from the prior: unit noise `[B, h, w, C]` from N(0, I), moved and scaled.
  ///
  /// The same unit noise gives a plain picture and its counterpart under the prior.
  public func noise(from unit: Tensor) -> Tensor { mean + standardDeviation * unit }

  /// The log-density of noise `[B, h, w, C]` at every element: the action's log-probability in
  /// FIND's one-step decision process, differentiable with respect to the moments.
  public func logDensity(of noise: Tensor) -> Tensor {
    noise.gaussianLogDensity(mean: mean, standardDeviation: standardDeviation)
  }

  /// KL(N(mu, sigma^2) || N(0, 1)) = (sigma^2 + mu^2 - 1 - 2 ln sigma) / 2 at every element,
  /// differentiable.
  public var elementDivergence: Tensor {
    0.5 * (standardDeviation.squared() + mean.squared() - 1 - 2 * standardDeviation.log())
  }

  /// KL to N(0, I) in nats, summed over all elements.
  public var divergence: Double {
    withoutRecording { elementDivergence.elements.reduce(0) { $0 + Double($1) } }
  }

  /// The Euclidean length of mu; unit noise has about the square root of its number of elements.
  public var shift: Double { mean.detached().squaredNorm().squareRoot() }
}
