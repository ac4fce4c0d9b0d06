import Foundation
import Runs

/// What a metric's name tells about it.
struct MetricName: Hashable {
  /// As in `metrics.jsonl`.
  let key: String

  /// Which way is better.
  enum Direction {
    case up, down, none
  }

  private static let errorSuffix = "StandardError"

  /// The metric whose standard error this is; nil if it is none.
  ///
  /// `rewardStandardError` belongs to `reward`, and `evaluationStandardError`, where there is no
  /// `evaluation`, to `evaluationReturn`.
  func owner(among keys: Set<String>) -> String? {
    guard key.hasSuffix(Self.errorSuffix) else { return nil }
    let stem = String(key.dropLast(Self.errorSuffix.count))
    return [stem, stem + "Return", stem + "Reward"].first { keys.contains($0) }
  }

  /// The name in words: `evaluation success rate`, `approximate KL`.
  var words: String {
    var words: [String] = []
    for character in key {
      let startsWord =
        character.isUppercase && !(words.last?.last?.isUppercase ?? false)
        || words.isEmpty
      // The last capital of several begins a word: `minimumSNRGamma`.
      if character.isLowercase, let last = words.last, last.count > 1,
        last.last?.isUppercase == true,
        let capital = words[words.count - 1].popLast()
      {
        words.append("\(capital)\(character)")
      } else if startsWord {
        words.append("\(character)")
      } else {
        words[words.count - 1].append(character)
      }
    }
    return words.map { word in
      if word.lowercased() == "kl" { return "KL" }
      return word.count > 1 && word.allSatisfy { $0.isUppercase || $0.isNumber }
        ? word : word.lowercased()
    }.joined(separator: " ")
  }

  /// Losses of a reinforcement learner tell nothing by their size; only those of plain training do.
  var direction: Direction {
    if key == "loss" || key.hasPrefix("validation") && key.hasSuffix("Loss") { return .down }
    let good = [
      "SuccessRate", "Accuracy", "AccuracyHeldOut", "Reward", "Return", "Score", "Diversity",
    ]
    let capitalized = key.prefix(1).uppercased() + key.dropFirst()
    return good.contains { capitalized.hasSuffix($0) } ? .up : .none
  }

  /// The place among the headlines, least first; nil for a metric that is none.
  ///
  /// - Parameter hasError: whether it has a standard error, as results of evaluations do.
  func headlineRank(hasError: Bool) -> Int? {
    guard direction != .none else { return nil }
    if key == "loss" { return 30 }
    let isScored = hasError || key.hasPrefix("evaluation") || key.hasPrefix("validation")
    let parts = ["SuccessRate", "Accuracy", "AccuracyHeldOut", "Return", "Reward"]
    let part = parts.firstIndex { key.hasSuffix($0) } ?? parts.count
    let kind = key.hasSuffix("Loss") ? 20 : isScored ? 0 : 10
    return kind + part
  }

  /// Whether a logarithmic axis shows it better: positive, and falling through orders of magnitude.
  func isLogarithmic(_ values: [Double]) -> Bool {
    let finite = values.filter(\.isFinite)
    guard key == "loss" || key.hasSuffix("Loss"), let low = finite.min(), let high = finite.max()
    else { return false }
    return low > 0 && high / low >= 8
  }
}

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
