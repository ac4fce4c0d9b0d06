import Foundation

/// How an ODE solver's noise levels sigma are spaced between the greatest and the smallest, where
/// they are not simply those of its time steps.
public struct SigmaSpacing: Sendable, Equatable {
  /// The rule.
  public enum Shape: String, Sendable, CaseIterable, Codable {
    /// Even in sigma^(1 / 7) (Karras et al., arXiv:2206.00364, equation 5).
    case karras
    /// Even in ln sigma.
    case exponential
    /// Dense at both ends, by the quantiles of a beta distribution (Lee et al., arXiv:2407.12173).
    case beta
    /// Even in lambda = -ln sigma (Lu et al., arXiv:2206.00927, section 3.4); the same levels as
    /// `exponential`, without bounds of their own.
    case lu
  }

  /// The rule.
  public var shape: Shape
  /// The smallest level; the schedule's if nil. `sigma_min` in diffusers.
  public var minimum: Double?
  /// The greatest level; the schedule's if nil. `sigma_max` in diffusers.
  public var maximum: Double?

  /// Levels of the given shape, between those of the schedule unless told otherwise.
  public init(_ shape: Shape, minimum: Double? = nil, maximum: Double? = nil) {
    self.shape = shape
    self.minimum = minimum
    self.maximum = maximum
  }

  /// The levels of Karras et al.
  public static let karras = SigmaSpacing(.karras)

  /// `count` levels, greatest first.
  ///
  /// - Parameters:
  ///   - maximum: the schedule's, where there is no other.
  ///   - minimum: the schedule's, where there is no other.
  func levels(from maximum: Double, to minimum: Double, count: Int) -> [Double] {
    let hasBounds = shape != .lu
    let first = (hasBounds ? self.maximum : nil) ?? maximum
    let last = (hasBounds ? self.minimum : nil) ?? minimum
    func even(_ first: Double, _ last: Double) -> [Double] {
      (0..<count).map { index in
        let ramp = count > 1 ? Double(index) / Double(count - 1) : 0
        return first + ramp * (last - first)
      }
    }
    switch shape {
    case .karras:
      return even(pow(first, 1.0 / 7), pow(last, 1.0 / 7)).map { pow($0, 7) }
    case .exponential:
      return even(log(first), log(last)).map { exp($0) }
    case .lu:
      // diffusers takes these logarithms in single precision.
      return even(Double(logf(Float(first))), Double(logf(Float(last)))).map { exp($0) }
    case .beta:
      let distribution = BetaDistribution(alpha: 0.6, beta: 0.6)
      return even(1, 0).map { last + distribution.quantile($0) * (first - last) }
    }
  }
}
