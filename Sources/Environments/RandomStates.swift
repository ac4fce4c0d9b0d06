import Glibc
import Tensors

/// Double-precision draws for initial states.
extension RandomStream {
  /// A uniform draw in [`low`, `high`), which may be one and the same number.
  mutating func uniform(from low: Double, to high: Double) -> Double {
    low + (high - low) * Double.random(in: 0..<1, using: &self)
  }

  /// A draw from the standard normal distribution, by Box and Muller's formula.
  mutating func standardNormal() -> Double {
    let radius = (-2 * log(1 - Double.random(in: 0..<1, using: &self))).squareRoot()
    return radius * cos(2 * .pi * Double.random(in: 0..<1, using: &self))
  }
}
