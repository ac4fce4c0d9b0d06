import DiffusionPolicies
import Runs

/// The settings of `attune policy pretrain`.
struct PretrainSettings: RunConfiguration {
  /// Decides weights, batches and noise.
  var seed: UInt64 = 0
  /// What is learned.
  var policy = PolicyConfiguration()
  /// What it is learned from.
  var demonstrations = DemonstrationConfiguration()
  /// How it is learned.
  var training = PretrainingConfiguration()
  /// How it is judged on the way; intervals are batches.
  var evaluation = EvaluationSettings(interval: 5000)
  /// Batches between lines of metrics.
  var reportInterval = 100
  /// Batches between checkpoints, a multiple of `reportInterval`.
  var checkpointInterval = 1000

  static let changeableOnResume = ChangeableSettings(
    keys: [
      "training.batchCount", "training.learningRate", "training.finalLearningRate",
      "training.gradientNormLimit", "evaluation.interval", "evaluation.episodes",
      "evaluation.filmedEpisodes", "reportInterval", "checkpointInterval",
    ], paths: ["demonstrations.path", "demonstrations.normalization"])

  static let defaults = PretrainSettings()

  func validate() throws {
    try checking("policy") { try policy.validate() }
    try checking("training") { try training.validate() }
    try checking("demonstrations") {
      try demonstrations.validate(predictionCount: policy.predictionCount)
    }
    if reportInterval < 1 {
      throw ConfigurationError.badValue(
        key: "reportInterval", found: "\(reportInterval)", expected: "a number above 0")
    }
    if checkpointInterval < 1 || !checkpointInterval.isMultiple(of: reportInterval) {
      throw ConfigurationError.badValue(
        key: "checkpointInterval", found: "\(checkpointInterval)",
        expected: "a multiple of reportInterval, which is \(reportInterval)")
    }
    if !evaluation.interval.isMultiple(of: reportInterval) {
      throw ConfigurationError.badValue(
        key: "evaluation.interval", found: "\(evaluation.interval)",
        expected: "a multiple of reportInterval, which is \(reportInterval)")
    }
  }
}
