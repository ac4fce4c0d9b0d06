import DiffusionPolicies
import ReinforcementLearning
import Runs

/// What `attune policy evaluate` prints: a summary, and with another policy how much better it is.
struct PolicyReport: Encodable {
  let summary: EvaluationSummary
  let comparison: EvaluationComparison?

  /// The summary's keys, and those of a comparison if there is one.
  func encode(to encoder: any Encoder) throws {
    try summary.encode(to: encoder)
    try comparison?.encode(to: encoder)
  }

  /// Lines for people.
  var text: String {
    let title = "\(summary.episodes.counting("episode")) in '\(summary.environment)'"
    guard let comparison else { return "\(title): \(summary.words)" }
    return """
      \(title):
        policy   \(summary.words)
        against  \(comparison.against.words)
        gain     \(comparison.words)
      """
  }
}

extension EvaluationComparison {
  /// The gains, each with the standard error of a paired difference.
  fileprivate var words: String {
    func words(_ name: String, _ gain: ScoreEstimate, _ unit: String = "") -> String {
      "\(name) \(gain.mean < 0 ? "" : "+")\(gain.mean.short)\(unit) +- \(gain.standardError.short)\(unit)"
    }
    let returns = words("return", returnGain)
    guard let successGain else { return returns }
    let share = ScoreEstimate(
      mean: successGain.mean * 100, standardError: successGain.standardError * 100)
    return [words("success", share, " points"), words("best reward", bestRewardGain), returns]
      .joined(separator: ", ")
  }
}
