import Foundation

extension Int {
  /// The number with a comma between thousands.
  public var grouped: String {
    var digits = String(magnitude)
    var groups: [Substring] = []
    while digits.count > 3 {
      groups.insert(digits.suffix(3), at: 0)
      digits = String(digits.dropLast(3))
    }
    groups.insert(Substring(digits), at: 0)
    return (self < 0 ? "-" : "") + groups.joined(separator: ",")
  }

  /// The number with what it counts, in the plural unless it is one.
  public func counting(_ noun: String) -> String {
    "\(grouped) \(self == 1 ? noun : noun.plural)"
  }
}

extension String {
  /// A noun in the plural: `episodes`, `batches`.
  var plural: String { self + (hasSuffix("ch") || hasSuffix("s") ? "es" : "s") }
}

/// Spans of time as people say them.
public enum TimeText {
  /// Seconds as in `2 h 5 min`, `1 min 3 s`, `12 s` or, below ten seconds, `1.25 s`.
  public static func precise(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds < 10 else { return rounded(seconds) }
    let hundredths = Int((seconds * 100).rounded())
    let fraction = hundredths % 100
    return "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction) s"
  }

  /// Whole seconds as in `2 h 5 min`, `1 min 3 s` or `12 s`.
  public static func rounded(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds < 1e9 else { return "unknown" }
    let whole = Int(seconds.rounded())
    if whole >= 3600 { return "\(whole / 3600) h \(whole % 3600 / 60) min" }
    return whole >= 60 ? "\(whole / 60) min \(whole % 60) s" : "\(whole) s"
  }
}

extension Double {
  /// Up to four digits and a power of ten, as in `5.955e-5`; for finite numbers.
  public var scientific: String {
    let parts = String(format: "%.3e", self).split(separator: "e")
    var digits = parts[0]
    while digits.hasSuffix("0") { digits.removeLast() }
    if digits.hasSuffix(".") { digits.removeLast() }
    return "\(digits)e\(Int(parts[1]) ?? 0)"
  }

  /// Three or four digits, as one reads them in a line: `0.612`, `41.26`, `3092`, `2.1e-5`.
  public var short: String {
    guard isFinite else { return "\(self)" }
    let size = magnitude
    guard size == 0 || (5e-4..<1e9).contains(size) else { return scientific }
    let places = size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : 3
    let factor = [1.0, 10, 100, 1000][places]
    let whole = Int64((size * factor).rounded())
    let sign = self < 0 && whole != 0 ? "-" : ""
    guard places > 0 else { return "\(sign)\(whole)" }
    let digits = String(whole)
    let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
    return "\(sign)\(padded.dropLast(places)).\(padded.suffix(places))"
  }
}
