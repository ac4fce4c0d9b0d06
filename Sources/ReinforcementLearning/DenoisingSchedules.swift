import Foundation

/// The clip range of the policy's ratio at each fine-tuned denoising step: narrow where noise is
/// high, wide at the end (DPPO, arXiv:2409.00588, appendix; the direction is the released code's).
public struct ClipSchedule: Sendable, Hashable {
  /// The range at the noisiest fine-tuned step.
  public var base: Float
  /// The range at the last step.
  public var top: Float
  /// The rate of the exponential between them.
  public var rate: Float

  /// A schedule from `base` to `top`.
  public init(base: Float, top: Float, rate: Float = 3) {
    self.base = base
    self.top = top
    self.rate = rate
  }

  /// The ranges of `count` = K' steps, noisiest first:
  /// base + (top - base) (exp(rate t) - 1) / (exp(rate) - 1), t = k / (K' - 1).
  ///
  /// A single step has the range `top`; the released code clips it to 0.
  public func ranges(count: Int) -> [Float] {
    guard count > 1 else { return Array(repeating: top, count: count) }
    return (0..<count).map { step in
      base + (top - base) * progress(Float(step) / Float(count - 1))
    }
  }

  /// (exp(rate t) - 1) / (exp(rate) - 1), for any rate.
  private func progress(_ t: Float) -> Float {
    if rate == 0 { return t }
    if rate < 0 { return expm1f(rate * t) / expm1f(rate) }
    // The same with both sides divided by exp(rate), which is infinite for rates from 89 on.
    return expf(rate * (t - 1)) * expm1f(-rate * t) / expm1f(-rate)
  }
}

/// The weights gamma_denoise^(K' - 1 - k) of a decision's advantage at its K' fine-tuned denoising
/// steps, noisiest (k = 0) first.
public func denoisingGammas(_ gamma: Double, count: Int) -> [Float] {
  (0..<count).map { Float(pow(gamma, Double(count - 1 - $0))) }
}
