import Foundation
import Runs

/// Numbers as people read them.
enum NumberText {
  /// Four digits, `0.6125`, `41.3`, `12,770`, `5.955e-5`; fewer where the rest are zeros.
  static func short(_ value: Double) -> String {
    guard value.isFinite else { return "not a number" }
    if value == 0 { return "0" }
    let size = abs(value)
    guard size >= 1e-3, size < 1e9 else { return value.scientific }
    if size >= 1000 { return Int(value.rounded()).grouped }
    let places = size >= 100 ? 1 : size >= 10 ? 2 : size >= 1 ? 3 : 4
    return withoutZeros(String(format: "%.\(places)f", value))
  }

  /// A value with its standard error, whose digits end together.
  static func short(_ value: Double, error: Double?) -> String {
    guard let error, error.isFinite, error > 0, value.isFinite else { return short(value) }
    let places = 1 - Int(log10(error).rounded(.down))
    guard (0...4).contains(places), abs(value) < 1000 else {
      return "\(short(value)) ± \(short(error))"
    }
    return String(format: "%.\(places)f ± %.\(places)f", value, error)
  }

  /// A value of at most six digits, for numbers in the page's data.
  static func rounded(_ value: Double) -> Double? {
    value.isFinite ? Double(String(format: "%.6g", value)) : nil
  }

  /// A size in bytes as in `3.2 MB`.
  static func byteCount(_ count: Int) -> String {
    let units = ["bytes", "kB", "MB", "GB", "TB"]
    let (size, unit) = units.indices.dropLast().reduce((Double(count), 0)) { state, _ in
      state.0 >= 1000 ? (state.0 / 1000, state.1 + 1) : state
    }
    guard unit > 0 else { return count == 1 ? "1 byte" : "\(count) bytes" }
    return String(format: size < 10 ? "%.1f" : "%.0f", size) + " \(units[unit])"
  }

  private static func withoutZeros(_ text: String) -> String {
    guard text.contains(".") else { return text }
    var text = text
    while text.hasSuffix("0") { text.removeLast() }
    if text.hasSuffix(".") { text.removeLast() }
    return text
  }
}
