import Tensors

/// The clipped policy objective of PPO (Schulman et al., arXiv:1707.06347, equation 7), negated,
/// for one shard of a minibatch.
public struct ProximalPolicyLoss {
  /// The sum over the shard of max(-A r, -A clamp(r, 1 - c, 1 + c)), a scalar.
  public let sum: Tensor
  /// What the shard adds to the statistics of the minibatch.
  public let statistics: Statistics

  /// Sums over samples; divide by their number.
  public struct Statistics: Sendable, Equatable {
    /// Samples.
    public var count = 0.0
    /// Samples whose ratio left the clip range.
    public var clipped = 0.0
    /// (r - 1) - log r: an estimate of the KL divergence that is never negative
    /// (Schulman 2020, "Approximating KL divergence").
    public var divergence = 0.0
    /// The ratios.
    public var ratio = 0.0

    /// Nothing yet.
    public init() {}

    /// As an array, to sum over shards.
    public var numbers: [Double] { [count, clipped, divergence, ratio] }

    /// From such an array.
    public init(numbers: [Double]) {
      precondition(numbers.count == 4, "4 statistics, not \(numbers.count)")
      (count, clipped, divergence, ratio) = (numbers[0], numbers[1], numbers[2], numbers[3])
    }
  }

  /// - Parameters:
  ///   - logProbabilities: under the policy being improved, `[M]`, differentiable.
  ///   - oldLogProbabilities: under the policy that acted, `[M]`.
  ///   - advantages: `[M]`
  ///   - clipRanges: `[M]`
  public init(
    logProbabilities: Tensor, oldLogProbabilities: Tensor, advantages: Tensor, clipRanges: Tensor
  ) {
    let logRatio = logProbabilities - oldLogProbabilities  // [M]
    let ratio = logRatio.exp()
    let clippedRatio = Tensor.minimum(Tensor.maximum(ratio, 1 - clipRanges), 1 + clipRanges)
    sum = Tensor.maximum(-advantages * ratio, -advantages * clippedRatio).sum()
    var statistics = Statistics()
    let (logRatios, ratios, ranges) = (logRatio.elements, ratio.elements, clipRanges.elements)
    for index in ratios.indices {
      statistics.count += 1
      if abs(ratios[index] - 1) > ranges[index] { statistics.clipped += 1 }
      statistics.divergence += Double(ratios[index] - 1 - logRatios[index])
      statistics.ratio += Double(ratios[index])
    }
    self.statistics = statistics
  }
}

/// The squared errors of a critic, halved, `[M]`; with a `limit`, the larger of those of the value
/// and of the value held within the limit of its old one (as PPO2 of OpenAI Baselines).
public func valueErrors(
  values: Tensor, returns: Tensor, oldValues: Tensor, limit: Float?
) -> Tensor {
  let errors = (values - returns).squared()
  guard let limit else { return 0.5 * errors }
  let held = oldValues + (values - oldValues).clamped(to: -limit, limit)
  return 0.5 * Tensor.maximum(errors, (held - returns).squared())
}
