import Tensors

/// A diagonal Gaussian over the initial noise, z_T ~ N(mu, diag sigma^2): the distribution of a
/// denoising process's first action, which FIND learns (arXiv:2407.19453, section 3.2). Before
/// learning it is N(0, I).
///
/// It has the shape of one sample: `[h, w, C]` of an image, `[F, h, w, C]` of a clip, `[Tp, Da]` of
/// an action chunk.
public struct NoisePrior: Sendable {
  /// mu, of one sample's shape.
  public var mean: Tensor
  /// sigma, of that shape, above 0.
  public var standardDeviation: Tensor

  /// A prior of the given moments.
  public init(mean: Tensor, standardDeviation: Tensor) {
    precondition(
      mean.shape == standardDeviation.shape && mean.rank > 0,
      "a prior has moments of one sample's shape, not \(mean.shape) and \(standardDeviation.shape)")
    self.mean = mean
    self.standardDeviation = standardDeviation
  }

  /// N(0, I) over samples of a shape.
  public init(standardOfShape shape: [Int]) {
    self.init(mean: .zeros(shape), standardDeviation: .ones(shape))
  }

  /// Of one sample.
  public var shape: [Int] { mean.shape }

  /// Draws from the prior: unit noise `[B, ...]` from N(0, I), moved and scaled.
  ///
  /// The same unit noise gives a plain image and its counterpart under the prior.
  public func noise(from unit: Tensor) -> Tensor { mean + standardDeviation * unit }

  /// The log-density of noise `[B, ...]` at every element, differentiable with respect to the
  /// moments.
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
