/// A type that is written as one word or text.
protocol ConfigurationScalar {
  /// What to write, for an error message.
  static var expectation: String { get }

  /// Reads a scalar; nil if it is of another type or out of range.
  init?(configurationText text: String, isQuoted: Bool)
}

extension String: ConfigurationScalar {
  static var expectation: String { "a text" }

  init?(configurationText text: String, isQuoted: Bool) { self = text }
}

extension Bool: ConfigurationScalar {
  static var expectation: String { "true or false" }

  init?(configurationText text: String, isQuoted: Bool) {
    guard !isQuoted else { return nil }
    switch text {
    case "true", "True", "TRUE": self = true
    case "false", "False", "FALSE": self = false
    default: return nil
    }
  }
}

extension ConfigurationScalar where Self: FixedWidthInteger {
  static var expectation: String {
    min == 0 ? "a whole number, not negative" : "a whole number"
  }

  /// Accepts `1_000_000` and, if it is whole, `1e6`.
  init?(configurationText text: String, isQuoted: Bool) {
    guard !isQuoted else { return nil }
    if let integer = Self(text.withoutSeparators) {
      self = integer
    } else if let number = Double(configurationText: text, isQuoted: false),
      let integer = Self(exactly: number)
    {
      self = integer
    } else {
      return nil
    }
  }
}

extension ConfigurationScalar where Self: BinaryFloatingPoint & LosslessStringConvertible {
  static var expectation: String { "a number" }

  init?(configurationText text: String, isQuoted: Bool) {
    guard !isQuoted else { return nil }
    switch text {
    case ".nan", ".NaN", ".NAN": self = .nan
    case ".inf", "+.inf", ".Inf", ".INF": self = .infinity
    case "-.inf", "-.Inf", "-.INF": self = -.infinity
    default:
      // Swift also reads words and hexadecimal.
      guard text.allSatisfy({ "0123456789+-.eE_".contains($0) }),
        let number = Self(text.withoutSeparators), number.isFinite
      else { return nil }
      self = number
    }
  }
}

extension String {
  /// A number's text without the underscores between its digits.
  fileprivate var withoutSeparators: String {
    first == "_" || last == "_" ? self : filter { $0 != "_" }
  }
}

extension Int: ConfigurationScalar {}
extension Int8: ConfigurationScalar {}
extension Int16: ConfigurationScalar {}
extension Int32: ConfigurationScalar {}
extension Int64: ConfigurationScalar {}
extension UInt: ConfigurationScalar {}
extension UInt8: ConfigurationScalar {}
extension UInt16: ConfigurationScalar {}
extension UInt32: ConfigurationScalar {}
extension UInt64: ConfigurationScalar {}
extension Double: ConfigurationScalar {}
extension Float: ConfigurationScalar {}
