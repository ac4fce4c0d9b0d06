import ReinforcementLearning

/// A prior beside plain noise and beside best-of-N, by several scores.
public struct NoiseComparison: Sendable, Equatable {
  /// One score of the three ways to make pictures.
  public struct Score: Codable, Sendable, Equatable {
    /// N(0, I).
    public var plain: ScoreEstimate?
    /// The prior.
    public var prior: ScoreEstimate?
    /// The best of N plain pictures by the optimized reward.
    public var bestOfN: ScoreEstimate?
  }

  /// What was drawn.
  public var prompt: String
  /// Pictures of each way.
  public var count: Int
  /// N: as many plain pictures for each as the prior cost, learning included.
  public var bestOf: Int
  /// `reward`, `diversity` and the names of the judges.
  public var scores: [String: Score]
}
