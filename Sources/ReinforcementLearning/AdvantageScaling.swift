/// How the advantages of a minibatch are prepared for the policy loss.
public struct AdvantageScaling: Sendable, Hashable {
  /// Whether they are brought to mean 0 and standard deviation 1.
  public var isNormalized: Bool
  /// The quantiles that they are clamped to; 0 ... 1 clamps nothing.
  public var quantiles: ClosedRange<Double>

  /// Normalized and not clamped, unless told otherwise.
  public init(isNormalized: Bool = true, quantiles: ClosedRange<Double> = 0...1) {
    self.isNormalized = isNormalized
    self.quantiles = quantiles
  }

  /// The prepared advantages.
  public func callAsFunction(_ advantages: [Float]) -> [Float] {
    var result = isNormalized ? Self.normalized(advantages) : advantages
    guard quantiles != 0...1 else { return result }
    let sorted = result.sorted()
    let low = Self.quantile(quantiles.lowerBound, ofSorted: sorted)
    let high = Self.quantile(quantiles.upperBound, ofSorted: sorted)
    for index in result.indices { result[index] = min(max(result[index], low), high) }
    return result
  }

  /// (A - mean) / (standard deviation + 1e-8), with the unbiased standard deviation of `torch.std`.
  static func normalized(_ advantages: [Float]) -> [Float] {
    let count = Double(advantages.count)
    let mean = advantages.reduce(0.0) { $0 + Double($1) } / max(count, 1)
    let squares = advantages.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
    // One advantage has no standard deviation: torch gives not-a-number here.
    let std = (squares / max(count - 1, 1)).squareRoot()
    return advantages.map { Float((Double($0) - mean) / (std + 1e-8)) }
  }

  /// Between the two nearest values, linearly, as `torch.quantile`.
  static func quantile(_ quantile: Double, ofSorted sorted: [Float]) -> Float {
    precondition(!sorted.isEmpty, "no advantages")
    let position = quantile * Double(sorted.count - 1)
    let low = Int(position.rounded(.down))
    let high = min(low + 1, sorted.count - 1)
    return sorted[low] + (sorted[high] - sorted[low]) * Float(position - Double(low))
  }
}
