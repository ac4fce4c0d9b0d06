import DiffusionPolicies
import Runs

/// How a policy is judged while it is trained.
struct EvaluationSettings: RunConfiguration {
  /// Iterations, or batches of a pretraining, between evaluations; 0 for none. A pretraining without
  /// an environment (`policy.environment.name: none`) evaluates the validation loss alone.
  var interval = 10
  /// Episodes of each.
  var episodes = 50
  /// Decides their starts and noise; the same every time.
  var seed: UInt64 = 1_000_000
  /// Episodes of them that are filmed, before a fine-tuning and after every training; 0 for none.
  var filmedEpisodes = 1

  static let defaults = EvaluationSettings()

  func validate() throws {
    if interval < 0 {
      throw ConfigurationError.badValue(
        key: "interval", found: "\(interval)", expected: "a number from 0")
    }
    if !(1...100_000).contains(episodes) {
      throw ConfigurationError.badValue(
        key: "episodes", found: "\(episodes)", expected: "1 to 100000")
    }
    if !(0...1000).contains(filmedEpisodes) {
      throw ConfigurationError.badValue(
        key: "filmedEpisodes", found: "\(filmedEpisodes)", expected: "0 to 1000")
    }
  }

  /// Whether it is time after that iteration.
  func isDue(after iteration: Int, isLast: Bool) -> Bool {
    interval > 0 && (isLast || iteration.isMultiple(of: interval))
  }

  /// Where `film` writes, if anything is filmed.
  func videoPaths<Settings>(_ name: String, of run: Run<Settings>) -> [String] {
    filmedEpisodes > 0 ? ["\(run.folder.videosPath)/\(name).mp4"] : []
  }

  /// Films a policy, `before` or `after` a training, in a run's folder. What cannot be drawn is no reason
  /// to lose a training.
  func film<Settings>(_ checkpoint: PolicyCheckpoint, _ name: String, of run: Run<Settings>) {
    guard filmedEpisodes > 0 else { return }
    do {
      try PolicyVideo(contestant: Contestant(checkpoint, path: run.folder.path, seed: seed))
        .write(to: "\(run.folder.videosPath)/\(name).mp4", episodeCount: filmedEpisodes)
    } catch {
      run.log.warn("no film: \(error)")
    }
  }

  /// Plays the policy of a checkpoint.
  func evaluate(_ checkpoint: PolicyCheckpoint) throws -> EvaluationSummary {
    let environment = try PolicyEnvironment(
      checkpoint.configuration, normalization: checkpoint.normalization)
    let episodes = try PolicyEvaluation(environment, seed: seed)
      .play(try checkpoint.makePolicy(), episodeCount: episodes)
    return EvaluationSummary(environment: checkpoint.configuration.environment.name, episodes)
  }
}

extension EvaluationSummary {
  /// The numbers for a run's metrics.
  var metrics: [String: Double] {
    var metrics = [
      "evaluationReturn": meanReturn, "evaluationLength": meanLength,
      "evaluationStandardError": standardError,
    ]
    guard let successRate else { return metrics }
    metrics["evaluationSuccessRate"] = successRate
    // The best reward says something where it is how well the task was done.
    metrics["evaluationBestReward"] = bestRewardMean
    return metrics
  }

  /// By what policies are compared: where the task can be done, the best reward, which is the
  /// success rate if nothing else is rewarded and tells more if something is; else the return.
  var score: Double { successRate == nil ? meanReturn : bestRewardMean }

  /// A few words for a line.
  var words: String {
    guard successRate != nil else { return returnWords }
    return "\(successWords), best reward \(bestRewardMean.short), \(returnWords)"
  }

  private var successWords: String { "success \(((successRate ?? 0) * 100).short)%" }

  private var returnWords: String {
    let error = episodes > 1 ? " +- \(standardError.short)" : ""
    return "return \(meanReturn.short)\(error)"
  }
}
