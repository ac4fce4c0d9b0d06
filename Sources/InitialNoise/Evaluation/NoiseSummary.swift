import ReinforcementLearning

/// What priors gain on average over prompts. Priors of the same prompt, learned from several seeds,
/// count together as one: only prompts are independent of one another.
public struct NoiseSummary: Codable, Sendable, Equatable {
  /// One score, averaged over prompts.
  public struct Score: Codable, Sendable, Equatable {
    /// N(0, I).
    public var plain: ScoreEstimate
    /// The priors.
    public var prior: ScoreEstimate
    /// The best of N plain images by the optimized reward.
    public var bestOfN: ScoreEstimate
    /// What priors have more than plain noise.
    public var gain: ScoreEstimate
    /// What priors have more than the best of N.
    public var gainOverBestOfN: ScoreEstimate
  }

  /// How many prompts.
  public var promptCount: Int
  /// How many priors.
  public var priorCount: Int
  /// By name; scores that some prompt has none of are averaged over the others.
  public var scores: [String: Score]

  /// Averages at least one comparison.
  public init(_ comparisons: [NoiseComparison]) {
    precondition(!comparisons.isEmpty, "no comparisons to average")
    let byPrompt = Dictionary(grouping: comparisons, by: \.prompt).values
    promptCount = byPrompt.count
    priorCount = comparisons.count
    scores = [:]
    for name in Set(comparisons.flatMap(\.scores.keys)) {
      let means = byPrompt.compactMap { Means($0.compactMap { $0.scores[name] }) }
      guard !means.isEmpty else { continue }
      scores[name] = Score(
        plain: ScoreEstimate(of: means) { $0.plain }, prior: ScoreEstimate(of: means) { $0.prior },
        bestOfN: ScoreEstimate(of: means) { $0.bestOfN },
        gain: ScoreEstimate(of: means) { $0.prior - $0.plain },
        gainOverBestOfN: ScoreEstimate(of: means) { $0.prior - $0.bestOfN })
    }
  }

  /// One prompt's numbers, averaged over its priors.
  private struct Means {
    var plain, prior, bestOfN: Double

    init?(_ scores: [NoiseComparison.Score]) {
      guard let plain = ScoreEstimate(scores.compactMap(\.plain?.mean)),
        let prior = ScoreEstimate(scores.compactMap(\.prior?.mean)),
        let bestOfN = ScoreEstimate(scores.compactMap(\.bestOfN?.mean))
      else { return nil }
      (self.plain, self.prior, self.bestOfN) = (plain.mean, prior.mean, bestOfN.mean)
    }
  }
}
