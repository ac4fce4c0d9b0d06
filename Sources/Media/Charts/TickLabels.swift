import Glibc

/// The numbers beside an axis, with the digits that its step needs.
struct TickLabels {
  private let divisor: Double
  private let suffix: String
  private let digitCount: Int

  /// - Parameter largest: the largest absolute value of a tick.
  init(step: Double, largest: Double) {
    let exponent = largest > 0 ? Int((log10(largest) + 1e-9).rounded(.down)) : 0
    let stepExponent = Int((log10(step) + 1e-9).rounded(.down))
    let power: Int
    switch exponent {
    case 15...: (power, suffix) = (exponent, "e\(exponent)")
    case 12...: (power, suffix) = (12, "T")
    case 9...: (power, suffix) = (9, "G")
    case 6...: (power, suffix) = (6, "M")
    case 4...: (power, suffix) = (3, "k")
    case (-3)...: (power, suffix) = (0, "")
    default: (power, suffix) = (exponent, "e\(exponent)")
    }
    divisor = pow(10, Double(power))
    digitCount = max(0, power - stepExponent)
  }

  func text(_ value: Double) -> String {
    let number = TickLabels.fixed(value / divisor, digitCount: digitCount)
    return number.allSatisfy { "0.-".contains($0) } ? "0" : number + suffix
  }

  /// A digit times a power of ten.
  static func decade(_ digit: Int, exponent: Int) -> String {
    switch exponent {
    case 15...: "\(digit)e\(exponent)"
    case 4...:
      "\(digit)" + String(repeating: "0", count: exponent % 3)
        + ["k", "M", "G", "T"][exponent / 3 - 1]
    case 0...: "\(digit)" + String(repeating: "0", count: exponent)
    case (-3)...: "0." + String(repeating: "0", count: -exponent - 1) + "\(digit)"
    default: "\(digit)e\(exponent)"
    }
  }

  /// A number with so many digits after the point, at most 15.
  static func fixed(_ value: Double, digitCount: Int) -> String {
    let digitCount = min(15, digitCount)
    let scaled = (abs(value) * pow(10, Double(digitCount))).rounded()
    guard scaled < 9e18 else { return "\(value)" }
    var digits = String(UInt64(scaled))
    if digitCount > 0 {
      digits = String(repeating: "0", count: max(0, digitCount + 1 - digits.count)) + digits
      digits.insert(".", at: digits.index(digits.endIndex, offsetBy: -digitCount))
    }
    return (value < 0 && scaled > 0 ? "-" : "") + digits
  }
}
