import Environments
import ReinforcementLearning

/// What episodes came to on average.
public struct EvaluationSummary: Sendable, Codable, Equatable {
  /// The environment's name.
  public var environment: String
  /// How many were played.
  public var episodes: Int
  /// The mean undiscounted return.
  public var meanReturn: Double
  /// Its standard error.
  public var standardError: Double
  /// The share of episodes that did the task; nil for tasks that are never done.
  public var successRate: Double?
  /// The mean of each episode's greatest reward of a step.
  public var bestRewardMean: Double
  /// The mean number of steps.
  public var meanLength: Double

  /// Summarizes at least one episode.
  public init(environment: String, _ episodes: [EpisodeStatistics]) {
    precondition(!episodes.isEmpty, "no episodes to summarize")
    let count = Double(episodes.count)
    func mean(_ value: (EpisodeStatistics) -> Double) -> Double {
      episodes.reduce(0) { $0 + value($1) } / count
    }
    let returns = ScoreEstimate(of: episodes, \.totalReward)
    self.environment = environment
    self.episodes = episodes.count
    meanReturn = returns.mean
    standardError = returns.standardError
    let successes = episodes.compactMap(\.isSuccess)
    successRate = successes.isEmpty ? nil : Double(successes.count { $0 }) / count
    bestRewardMean = mean(\.bestReward)
    meanLength = mean { Double($0.stepCount) }
  }

  private enum CodingKeys: String, CodingKey {
    case environment, episodes, meanReturn, standardError, successRate, bestRewardMean, meanLength
  }

  /// Writes every key: the success rate of a task that is never done is null.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(environment, forKey: .environment)
    try container.encode(episodes, forKey: .episodes)
    try container.encode(meanReturn, forKey: .meanReturn)
    try container.encode(standardError, forKey: .standardError)
    try container.encode(successRate, forKey: .successRate)
    try container.encode(bestRewardMean, forKey: .bestRewardMean)
    try container.encode(meanLength, forKey: .meanLength)
  }
}
