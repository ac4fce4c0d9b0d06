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
  /// The fraction of episodes that did the task; nil for tasks that are never done.
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

/// How much better one policy does than another on the same episodes.
///
/// Episodes are paired by their seeds, so that what makes a start easy or hard falls out.
public struct EvaluationComparison: Codable, Equatable, Sendable {
  /// The other policy's episodes.
  public var against: EvaluationSummary
  /// The mean gain in undiscounted return.
  public var returnGain: ScoreEstimate
  /// The mean gain in an episode's greatest reward of a step.
  public var bestRewardGain: ScoreEstimate
  /// The gain in the fraction of episodes that did the task; nil for tasks that are never done.
  public var successGain: ScoreEstimate?

  /// Compares episode by episode.
  ///
  /// - Parameters:
  ///   - episodes: at least one.
  ///   - others: the other policy's episodes of the same seeds, in the same order.
  ///   - environment: the environment's name.
  public init(
    _ episodes: [EpisodeStatistics], against others: [EpisodeStatistics], environment: String
  ) {
    precondition(
      episodes.count == others.count, "\(episodes.count) episodes against \(others.count)")
    let pairs = Array(zip(episodes, others))
    against = EvaluationSummary(environment: environment, others)
    returnGain = ScoreEstimate(of: pairs) { $0.totalReward - $1.totalReward }
    bestRewardGain = ScoreEstimate(of: pairs) { $0.bestReward - $1.bestReward }
    successGain = ScoreEstimate(
      pairs.compactMap { episode, other in
        guard let isSuccess = episode.isSuccess, let wasSuccess = other.isSuccess else {
          return nil
        }
        return (isSuccess ? 1 : 0) - (wasSuccess ? 1 : 0)
      })
  }

  private enum CodingKeys: String, CodingKey {
    case against, returnGain, bestRewardGain, successGain
  }

  /// Writes every key: the gain in success of a task that is never done is null.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(against, forKey: .against)
    try container.encode(returnGain, forKey: .returnGain)
    try container.encode(bestRewardGain, forKey: .bestRewardGain)
    try container.encode(successGain, forKey: .successGain)
  }
}
