import DiffusionPolicies
import Environments
import ReinforcementLearning
import Runs
import Training

/// What `attune policy evaluate` prints: a summary, and with another policy how much better it is.
struct PolicyReport: Encodable {
  let summary: EvaluationSummary
  let comparison: EvaluationComparison?
  /// All of the environment's, as text.
  let parameters: [String: String]
  let episodes: [EpisodeResult]
  /// The other policy's, of the same seeds.
  let otherEpisodes: [EpisodeResult]

  /// - Parameters:
  ///   - environment: where both were played.
  ///   - parameters: all of its parameters.
  ///   - played: the episodes, at least one.
  ///   - against: those of the other policy, if there is one.
  ///   - startSeed: the seed that an episode started from.
  init(
    environment: EnvironmentConfiguration, parameters: [String: String],
    played: [EpisodeStatistics], against: [EpisodeStatistics]?, startSeed: (Int) -> UInt64
  ) {
    func results(_ played: [EpisodeStatistics]) -> [EpisodeResult] {
      played.enumerated().map { EpisodeResult($1, seed: startSeed($0)) }
    }
    summary = EvaluationSummary(environment: environment.name, played)
    comparison = against.map {
      EvaluationComparison(played, against: $0, environment: environment.name)
    }
    self.parameters = parameters
    episodes = results(played)
    otherEpisodes = results(against ?? [])
  }

  private enum CodingKeys: String, CodingKey {
    case parameters, episodeResults, against, returnGain, bestRewardGain, successGain
  }

  /// The summary's keys, and those of a comparison if there is one; all episodes of both.
  func encode(to encoder: any Encoder) throws {
    try summary.encode(to: encoder)
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(parameters, forKey: .parameters)
    try container.encode(episodes, forKey: .episodeResults)
    guard let comparison else { return }
    try container.encode(
      EvaluatedPolicy(summary: comparison.against, episodes: otherEpisodes), forKey: .against)
    try container.encode(comparison.returnGain, forKey: .returnGain)
    try container.encode(comparison.bestRewardGain, forKey: .bestRewardGain)
    // Null for tasks that are never done.
    try container.encode(comparison.successGain, forKey: .successGain)
  }

  private struct EvaluatedPolicy: Encodable {
    let summary: EvaluationSummary
    let episodes: [EpisodeResult]

    func encode(to encoder: any Encoder) throws {
      try summary.encode(to: encoder)
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(episodes, forKey: .episodeResults)
    }
  }

  /// Lines for people.
  var text: String {
    let title = "\(summary.episodes.counting("episode")) in '\(summary.environment)'"
    let words = summary.words + Self.broken(episodes)
    guard let comparison else { return "\(title): \(words)" }
    return """
      \(title):
        policy   \(words)
        against  \(comparison.against.words)\(Self.broken(otherEpisodes))
        gain     \(comparison.words)
      """
  }

  /// What a mean does not tell: episodes that a number that is none has ended.
  private static func broken(_ episodes: [EpisodeResult]) -> String {
    let count = episodes.count(where: \.isBroken)
    return count == 0 ? "" : ", \(count.counting("episode")) ended by numbers that are not finite"
  }
}

/// What an episode of an evaluation came to.
struct EpisodeResult: Encodable {
  let statistics: EpisodeStatistics
  /// What the environment started from.
  let seed: UInt64

  init(_ statistics: EpisodeStatistics, seed: UInt64) {
    self.statistics = statistics
    self.seed = seed
  }

  var isBroken: Bool { statistics.isBroken }

  private enum CodingKeys: String, CodingKey {
    case seed, `return`, bestReward, isSuccess, length, isBroken
  }

  /// Writes every key: the success of a task that is never done is null.
  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(seed, forKey: .seed)
    try container.encode(statistics.totalReward, forKey: .return)
    try container.encode(statistics.bestReward, forKey: .bestReward)
    try container.encode(statistics.isSuccess, forKey: .isSuccess)
    try container.encode(statistics.stepCount, forKey: .length)
    try container.encode(isBroken, forKey: .isBroken)
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
    let fraction = ScoreEstimate(
      mean: successGain.mean * 100, standardError: successGain.standardError * 100)
    return [words("success", fraction, " points"), words("best reward", bestRewardGain), returns]
      .joined(separator: ", ")
  }
}
