import DiffusionPolicies
import Runs

/// When and by what the policies of a pretraining are evaluated: in their environment, by the loss
/// on held-out demonstrations, or both.
struct PretrainEvaluator {
  /// When, and how many episodes.
  let settings: EvaluationSettings
  /// Whether policies can be played.
  let hasEnvironment: Bool
  /// Whether demonstrations are held out.
  let hasValidation: Bool

  /// Whether policies are played on the way.
  var playsEpisodes: Bool { hasEnvironment && settings.interval > 0 }

  /// Whether it is time after a batch, of which there is a line of metrics. What was held out is
  /// evaluated even where no evaluation was asked for.
  func isDue(after batch: Int, isLast: Bool) -> Bool {
    settings.interval > 0 ? settings.isDue(after: batch, isLast: isLast) : hasValidation
  }

  /// What a user may not expect: how policies are compared that are not played, and what is not
  /// done.
  var note: String? {
    guard !playsEpisodes else { return nil }
    let missing =
      hasEnvironment
      ? "evaluation.interval is 0: no policy is played during training"
      : "no environment: no policy is played, and there are no videos"
    return hasValidation
      ? "\(missing); the best one is that of the least validation loss"
      : "\(missing); without demonstrations.validationFraction none is compared, and "
        + "policy.safetensors is the last one"
  }

  /// What an evaluation came to.
  struct Result {
    /// Nil without held-out demonstrations.
    let validationLoss: Double?
    /// Nil where no episodes are played.
    let summary: EvaluationSummary?

    /// The numbers for a run's metrics.
    var metrics: [String: Double] {
      var metrics = summary?.metrics ?? [:]
      metrics["validationLoss"] = validationLoss
      return metrics
    }

    /// By what policies are compared: episodes if there are some.
    var score: (value: Double, measure: BestPolicy.Measure)? {
      if let summary { return (summary.score, .evaluation) }
      return validationLoss.map { (-$0, .validationLoss) }
    }

    /// A few words for a line; nil if nothing was evaluated.
    var words: String? { summary?.words ?? validationLoss.map { "validation loss \($0.short)" } }
  }

  /// Evaluates the policy of a training as it stands.
  ///
  /// - Throws: what playing and loading weights throw.
  func evaluate(_ training: Pretraining, _ policy: PolicyCheckpoint) throws -> Result {
    Result(
      validationLoss: try training.validationLoss(),
      summary: playsEpisodes ? try settings.evaluate(policy) : nil)
  }
}
