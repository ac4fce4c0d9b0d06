import InitialNoise
import ReinforcementLearning
import Rewards
import Runs

/// What `attune noise evaluate` prints.
struct NoiseReport: Encodable {
  private let comparison: NoiseComparison

  init(_ comparison: NoiseComparison) { self.comparison = comparison }

  private struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(_ name: String) { stringValue = name }
    init?(stringValue: String) { self.init(stringValue) }
    init?(intValue: Int) { nil }
  }

  /// `prompt`, `count`, `bestOf`, and each score as `{plain, prior, bestOfN}`.
  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(comparison.prompt, forKey: Key("prompt"))
    try container.encode(comparison.count, forKey: Key("count"))
    try container.encode(comparison.bestOf, forKey: Key("bestOf"))
    for (name, score) in comparison.scores { try container.encode(score, forKey: Key(name)) }
  }

  /// A line for each score.
  var table: String {
    let head = ["", "plain", "prior", "best of \(comparison.bestOf)"]
    let names = ["reward", "diversity"] + comparison.scores.keys.sorted()
    var seen: Set<String> = []
    let rows = names.filter { seen.insert($0).inserted }.compactMap { name -> [String]? in
      guard let score = comparison.scores[name] else { return nil }
      return [name] + [score.plain, score.prior, score.bestOfN].map(Self.words)
    }
    let widths = head.indices.map { column in
      ([head] + rows).map { $0[column].count }.max() ?? 0
    }
    return ([head] + rows).map { row in
      let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
      let line = cells.joined(separator: "  ")
      return String(line.prefix(line.count - line.reversed().prefix { $0 == " " }.count))
    }.joined(separator: "\n")
  }

  private static func words(_ estimate: ScoreEstimate?) -> String {
    estimate.map { "\($0.mean.short) +- \($0.standardError.short)" } ?? "-"
  }
}

extension String {
  /// `png-size` as `pngSize`: a key for a report.
  var camelCased: String {
    let words = split { !$0.isLetter && !$0.isNumber }.map(String.init)
    guard let first = words.first else { return "score" }
    return first.lowercased()
      + words.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
  }
}
