import DiffusionPolicies
import Runs

/// The settings of `attune policy finetune`.
struct FinetuneSettings: RunConfiguration {
  /// Decides the critic's weights, starts, noise and minibatches.
  var seed: UInt64 = 0
  /// The policy to start from.
  var checkpoint = ""
  /// What the policy does otherwise than in pretraining.
  var policy = PolicyChanges.defaults
  /// Parameters of the environment that differ from those of pretraining.
  var environmentParameters: [String: String] = [:]
  /// How it is improved.
  var training = FineTuningConfiguration()
  /// How it is judged on the way, in the environment as it was in pretraining.
  var evaluation = EvaluationSettings(interval: 10)
  /// Iterations between checkpoints.
  var checkpointInterval = 5

  static let changeableOnResume = ChangeableSettings(keys: [
    "training.iterationCount", "training.policyLearningRate", "training.criticLearningRate",
    "training.etaLearningRate", "training.gradientNormLimit", "evaluation.interval",
    "evaluation.episodes", "evaluation.filmedEpisodes", "checkpointInterval",
  ])

  static let defaults = FinetuneSettings()

  func validate() throws {
    try checking("training") { try training.validate() }
    if checkpoint.isEmpty {
      throw ConfigurationError.badValue(
        key: "checkpoint", found: "nothing",
        expected: "the path of a pretrained policy (or give --checkpoint FILE)")
    }
    if checkpointInterval < 1 {
      throw ConfigurationError.badValue(
        key: "checkpointInterval", found: "\(checkpointInterval)", expected: "a number above 0")
    }
  }
}
