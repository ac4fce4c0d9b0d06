import Runs
import TextToImage

/// The settings of `attune image train`.
struct ImageTrainSettings: RunConfiguration {
  /// Decides weights, pictures, noise and dropped prompts.
  var seed: UInt64 = 0
  /// What learns.
  var model = ImageModelSettings.defaults
  /// What it learns from.
  var data = CaptionedDataSettings.defaults
  /// How it learns.
  var training = ImageTrainingConfiguration()
  /// The pictures that are drawn on the way; intervals are batches.
  var samples = SampleGridSettings.defaults
  /// The numbers in the files of the model folder.
  var weightType = WeightType.float16
  /// Batches between lines of metrics.
  var reportInterval = 10
  /// Batches between checkpoints, a multiple of `reportInterval`.
  var checkpointInterval = 500

  static let changeableOnResume = ChangeableSettings(
    keys: [
      "training.batchCount", "training.learningRate", "training.finalLearningRate",
      "training.gradientNormLimit", "samples", "weightType", "reportInterval",
      "checkpointInterval",
    ], paths: ["model.folder", "data.path"])

  static let defaults = ImageTrainSettings()

  func validate() throws {
    try checking("training") { try training.validate() }
    if reportInterval < 1 {
      throw ConfigurationError.badValue(
        key: "reportInterval", found: "\(reportInterval)", expected: "a number above 0")
    }
    let intervals = [
      ("checkpointInterval", checkpointInterval, 1), ("samples.interval", samples.interval, 0),
    ]
    for (key, interval, least) in intervals
    where interval < least || !interval.isMultiple(of: reportInterval) {
      throw ConfigurationError.badValue(
        key: key, found: "\(interval)",
        expected: "a multiple of reportInterval, which is \(reportInterval)")
    }
  }
}

/// Where a training's model comes from.
struct ImageModelSettings: RunConfiguration {
  /// The model folder to start from; a new model if there is none.
  var folder: String?
  /// The new model.
  var new = NewModelConfiguration()

  static let defaults = ImageModelSettings()

  func validate() throws { try checking("new") { try new.validate() } }
}
