import Tensors

/// Where a chain's noise comes from. Deterministic transitions ask for none.
public protocol NoiseSource {
  /// Standard normal draws `[B, ...]`.
  mutating func noise(_ shape: [Int]) -> Tensor
}

extension RandomStream: NoiseSource {
  /// Draws for the whole batch from one stream.
  public mutating func noise(_ shape: [Int]) -> Tensor { normal(shape) }
}

extension TorchRandom: NoiseSource {
  /// As `torch.randn(shape)`.
  public mutating func noise(_ shape: [Int]) -> Tensor { normal(shape) }
}

/// A stream for each sample, so that its noise does not depend on the batch it is in.
public struct SampleStreams: NoiseSource, Sendable {
  /// One stream a row.
  public var streams: [RandomStream]

  /// Rows with the given streams.
  public init(_ streams: [RandomStream]) { self.streams = streams }

  /// Rows named by their indices, such as an image's number or an environment's.
  public init(seed: UInt64, purpose: String = "", indices: some Sequence<Int>) {
    streams = indices.map { RandomStream(seed: seed, purpose: purpose, index: $0) }
  }

  /// Each row from its own stream.
  public mutating func noise(_ shape: [Int]) -> Tensor {
    precondition(
      shape.first == streams.count, "\(streams.count) streams for noise of shape \(shape)")
    let rowShape = Array(shape.dropFirst())
    return .stacked(streams.indices.map { streams[$0].normal(rowShape) })
  }
}

/// Noise drawn beforehand, one tensor for each stochastic transition.
public struct RecordedNoise: NoiseSource, Sendable {
  private var remaining: ArraySlice<Tensor>

  /// Hands out the tensors in order.
  public init(_ tensors: [Tensor]) { remaining = tensors[...] }

  /// Draws `count` tensors at once from a stream for each row: the noise of a row does not depend
  /// on the batch it is in, and a chain does not stop for it.
  ///
  /// - Parameters:
  ///   - count: the tensors.
  ///   - rowShape: of one row of a tensor.
  ///   - streams: one for each row.
  public init(drawing count: Int, ofRowShape rowShape: [Int], from streams: [RandomStream]) {
    let rows = streams.map { stream in
      var stream = stream
      return stream.normal([count] + rowShape)
    }
    let size = rowShape.reduce(1, *)
    let all = Tensor(shape: [count, streams.count] + rowShape) { result in
      guard let target = result.baseAddress else { return }
      for (row, noise) in rows.enumerated() {
        noise.withUnsafeElements { source in
          guard let source = source.baseAddress else { return }
          for index in 0..<count {
            (target + (index * rows.count + row) * size).update(
              from: source + index * size, count: size)
          }
        }
      }
    }
    self.init((0..<count).map { all[$0] })
  }

  /// The number of tensors not yet used.
  public var remainingCount: Int { remaining.count }

  /// The next tensor.
  public mutating func noise(_ shape: [Int]) -> Tensor {
    guard let next = remaining.popFirst() else {
      preconditionFailure("the recorded noise is used up; shape \(shape) is still wanted")
    }
    precondition(
      next.shape == shape, "recorded noise has shape \(next.shape), wanted is \(shape)")
    return next
  }
}

/// How much noise a chain's transitions get, given the sampler's own standard deviation.
public enum NoiseRule: Sendable, Hashable {
  /// As the sampler says.
  case own
  /// None: every transition goes to its mean.
  case none
  /// At least this standard deviation at every transition, the last included: DPPO's exploration in
  /// training (`min_sampling_denoising_std`, sigma_exp).
  case atLeast(Float)
  /// At least this standard deviation, but none at the last transition: DPPO's evaluation with
  /// DDPM, 1e-3.
  case atLeastUntilLast(Float)

  /// The transition with the rule applied.
  func applied(to transition: Transition, isLast: Bool) -> Transition {
    switch self {
    case .own: transition
    case .none: Transition(mean: transition.mean)
    case .atLeast(let floor): transition.flooringStd(at: floor)
    case .atLeastUntilLast(let floor):
      isLast ? Transition(mean: transition.mean) : transition.flooringStd(at: floor)
    }
  }
}

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
