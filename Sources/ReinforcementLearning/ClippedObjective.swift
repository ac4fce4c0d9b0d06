import Diffusion
import NeuralNetworks
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

    /// As sums over shards and processes.
    public var sums: NamedSums {
      ["samples": count, "clipped": clipped, "divergence": divergence, "ratio": ratio]
    }

    /// From such sums, whatever else is among them.
    public init(_ sums: NamedSums) {
      count = sums["samples"]
      clipped = sums["clipped"]
      divergence = sums["divergence"]
      ratio = sums["ratio"]
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

/// Transitions of Gaussian chains to learn from, with all that PPO's loss needs; `Condition` is what
/// each was made on, such as observations `[M, To, Do]` or prompts.
public struct TransitionBatch<Condition: RowSliceable & Sendable>: Sendable {
  /// The transitions.
  public var transitions: RecordedTransitions
  /// A row for each.
  public var conditions: Condition
  /// Under the policy that acted, `[M]`.
  public var oldLogProbabilities: Tensor
  /// `[M]`
  public var advantages: Tensor
  /// `[M]`
  public var clipRanges: Tensor

  /// Transitions with the parts of their loss, which have `M` rows each.
  public init(
    transitions: RecordedTransitions, conditions: Condition, oldLogProbabilities: Tensor,
    advantages: Tensor, clipRanges: Tensor
  ) {
    let shapes = [oldLogProbabilities.shape, advantages.shape, clipRanges.shape]
    precondition(
      shapes.allSatisfy { $0 == [transitions.positions.count] },
      "\(transitions.positions.count) transitions have parts of shapes \(shapes)")
    self.transitions = transitions
    self.conditions = conditions
    self.oldLogProbabilities = oldLogProbabilities
    self.advantages = advantages
    self.clipRanges = clipRanges
  }

  /// The number of transitions, M.
  public var count: Int { oldLogProbabilities.shape[0] }

  /// Some of the transitions.
  public func rows(_ range: Range<Int>) -> TransitionBatch {
    TransitionBatch(
      transitions: transitions.slice(range), conditions: conditions.rows(range),
      oldLogProbabilities: oldLogProbabilities.slice(range),
      advantages: advantages.slice(range), clipRanges: clipRanges.slice(range))
  }

  /// PPO's clipped objective, negated, as a mean over the batch, plus what a policy adds to it; its
  /// gradient and statistics.
  ///
  /// - Parameters:
  ///   - parameters: what is differentiated by.
  ///   - shardSize: transitions that a worker takes through the network at once.
  ///   - communicator: shares the batch among ranks, each of which has all of it.
  ///   - terms: what the policy says of a shard, differentiable; its penalty is already divided by
  ///     `count`.
  /// - Returns: `policyLoss`, the sums of `ProximalPolicyLoss.Statistics` and those of the terms.
  /// - Throws: what the communicator throws.
  public func clippedObjective(
    of parameters: NamedParameters, shardSize: Int, over communicator: any Communicator,
    _ terms: @Sendable (_ shard: TransitionBatch, _ rows: Range<Int>) -> PolicyTerms
  ) throws -> (sums: NamedSums, gradients: Gradients) {
    let scale = 1 / Float(count)
    let result = try communicator.shardedValueAndGradients(
      count: count, shardSize: shardSize, of: parameters
    ) { range in
      let shard = rows(range)
      let policy = terms(shard, range)
      let loss = ProximalPolicyLoss(
        logProbabilities: policy.logProbabilities, oldLogProbabilities: shard.oldLogProbabilities,
        advantages: shard.advantages, clipRanges: shard.clipRanges)
      var total = loss.sum * scale
      for penalty in policy.penalties { total = total + penalty }
      let sums: NamedSums = ["policyLoss": Double(loss.sum.scalar * scale)]
      return ShardResult(
        loss: total, sums: sums.joined(with: loss.statistics.sums).joined(with: policy.sums))
    }
    return (result.sums, result.gradients)
  }
}

/// What a policy says of some transitions.
public struct PolicyTerms {
  /// `[M]`
  public var logProbabilities: Tensor
  /// Scalars to be added to the loss.
  public var penalties: [Tensor] = []
  /// What goes into the statistics.
  public var sums = NamedSums()

  /// Log-probabilities `[M]` without penalties.
  public init(logProbabilities: Tensor) { self.logProbabilities = logProbabilities }
}

/// Something with a row for each element of a batch.
public protocol RowSliceable {
  /// The rows in a range.
  func rows(_ range: Range<Int>) -> Self
}

extension Tensor: RowSliceable {
  /// Rows of the first dimension.
  public func rows(_ range: Range<Int>) -> Tensor { slice(range) }
}

extension Array: RowSliceable {
  /// The elements in a range.
  public func rows(_ range: Range<Int>) -> [Element] { Array(self[range]) }
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
