import ReinforcementLearning

/// What N(0, I) gives for a prompt: drawn once, however many priors stand beside it.
public struct PlainNoise: Sendable, Equatable {
  /// What was drawn.
  public let prompt: String
  /// What guidance led away from.
  public let negativePrompt: String
  /// Pictures of each way.
  public let count: Int
  /// Of the first picture.
  public let seed: UInt64
  /// N of best-of-N.
  public let bestOf: Int
  /// The plain pictures' scores by name.
  public internal(set) var scores: [String: ScoreEstimate] = [:]
  /// Those of the best of N.
  public internal(set) var bestScores: [String: ScoreEstimate] = [:]
}
