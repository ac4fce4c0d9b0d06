import InitialNoise
import ReinforcementLearning
import Rewards
import Runs

/// What `attune noise evaluate` prints for a prior.
struct NoiseReport: Encodable {
  let comparison: NoiseComparison
  private let path: String

  init(_ comparison: NoiseComparison, path: String) {
    self.comparison = comparison
    self.path = path
  }

  private struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(_ name: String) { stringValue = name }
    init?(stringValue: String) { self.init(stringValue) }
    init?(intValue: Int) { nil }
  }

  /// `prior`, `prompt`, `count`, `bestOf`, and each score as `{plain, prior, bestOfN}`.
  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(path, forKey: Key("prior"))
    try container.encode(comparison.prompt, forKey: Key("prompt"))
    try container.encode(comparison.count, forKey: Key("count"))
    try container.encode(comparison.bestOf, forKey: Key("bestOf"))
    for (name, score) in comparison.scores { try container.encode(score, forKey: Key(name)) }
  }

  /// Which prior it is about.
  var title: String { "\(path.printable): \(comparison.prompt.printable)" }

  /// A line for each score.
  var table: String {
    scoreTable(
      head: ["", "plain", "prior", "best of \(comparison.bestOf)"], comparison.scores
    ) { [$0.plain, $0.prior, $0.bestOfN].map(\.words) }
  }
}

/// What it prints with `--json` for several priors: each, and what they gain on average over
/// prompts.
struct NoiseReports: Encodable {
  let priors: [NoiseReport]
  let summary: NoiseSummary
}

extension NoiseSummary {
  /// A line for each score, gains last.
  var table: String {
    let title = "\(priorCount.counting("prior")) of \(promptCount.counting("prompt"))"
    return title + "\n"
      + scoreTable(
        head: ["", "plain", "prior", "best of N", "prior - plain", "prior - best of N"], scores
      ) { [$0.plain, $0.prior, $0.bestOfN, $0.gain, $0.gainOverBestOfN].map(\.words) }
  }
}

/// The reward and diversity first, then by name.
private func scoreTable<Score>(
  head: [String], _ scores: [String: Score], cells: (Score) -> [String]
) -> String {
  let first = ["reward", "diversity"].filter { scores[$0] != nil }
  let names = first + scores.keys.filter { !first.contains($0) }.sorted()
  let rows = names.map { name in [name] + (scores[name].map(cells) ?? []) }
  return alignedColumns([head] + rows)
}

extension Optional<ScoreEstimate> {
  fileprivate var words: String { map(\.words) ?? "-" }
}

extension ScoreEstimate {
  fileprivate var words: String { "\(mean.short) +- \(standardError.short)" }
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
