import Tensors

/// How log-densities per element become one number for each sample.
public enum LogProbabilityReduction: String, Sendable, CaseIterable, Codable {
  /// The average over elements: an average of log-densities, on a scale that does not grow with the
  /// size of the sample. What DPPO and the released FIND use.
  case mean
  /// The sum over elements: the sample's log-density.
  case sum
  /// None: each element keeps its own.
  case perElement

  /// `[B, ...]` to `[B]`, or to itself.
  public func callAsFunction(_ logProbabilities: Tensor) -> Tensor {
    switch self {
    case .mean: logProbabilities.flattened(from: 1).mean(along: 1)
    case .sum: logProbabilities.flattened(from: 1).sum(along: 1)
    case .perElement: logProbabilities
    }
  }
}

extension Tensor {
  /// An element's log-density within the range that DPPO gives it: what lies beyond says nothing
  /// more (`newlogprobs` in the reference).
  public func limitedLogProbabilities() -> Tensor { clamped(to: -5, 2) }

  /// DPPO's likelihood of an action chunk: log-densities clamped per element, then averaged over
  /// the executed actions (arXiv:2409.00588, appendix; `newlogprobs` in the reference).
  ///
  /// - Parameter actionSteps: Ta, the actions that reach the environment.
  /// - Returns: `[B, Tp, Da]` to `[B]`.
  public func meanOfExecutedLogProbabilities(actionSteps: Int) -> Tensor {
    precondition(
      rank == 3 && (1...shape[1]).contains(actionSteps),
      "cannot average \(actionSteps) executed actions of chunks of shape \(shape)")
    let executed = slice(0..<actionSteps, along: 1)  // [B, Ta, Da]
    return LogProbabilityReduction.mean(executed.limitedLogProbabilities())
  }
}
