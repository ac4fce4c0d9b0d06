import CaptionedImages
import Rewards
import Runs

/// The settings of `attune reward train`.
struct RewardTrainSettings: RunConfiguration {
  /// What is trained.
  enum Kind: String, Codable, CaseIterable {
    /// A CLIP model: how well a picture fits a text.
    case clip
    /// A classifier of what a doll has in each slot, to judge pictures by or to optimize.
    case classifier
  }

  /// The pictures.
  struct Dolls: Codable, Hashable {
    /// The folder of layers.
    var folder = ""
    /// Which dolls are shown.
    var pairs = DollPairs.all
    /// How often a doll has what, and how much a caption tells.
    var distribution = DollDistribution()
  }

  /// How the model is judged on the way.
  struct Validation: Codable, Hashable {
    /// Steps between two validations; 0 for the end only.
    var interval = 1000
    /// Pictures of each, a multiple of 16.
    var count = 512
  }

  /// Decides weights, pictures and noise.
  var seed: UInt64 = 0
  /// What is trained.
  var kind = Kind.clip
  /// What it is trained on.
  var dolls = Dolls()
  /// The CLIP model, where `kind` is `clip`.
  var clip = CLIPTrainingConfiguration()
  /// The classifier, where `kind` is `classifier`.
  var classifier = ClassifierTrainingConfiguration()
  /// How it is judged on the way.
  var validation = Validation()
  /// How the weights of the model folder are written.
  var weightType = WeightType.float32
  /// Steps between lines of metrics.
  var reportInterval = 50
  /// Steps between checkpoints, a multiple of `reportInterval`.
  var checkpointInterval = 500

  static let changeableOnResume = ChangeableSettings(
    keys: ["clip", "classifier"].flatMap { kind in
      ["stepCount", "learningRate", "finalLearningRate", "gradientNormLimit"].map {
        "\(kind).optimization.\($0)"
      }
    } + ["validation.interval", "weightType", "reportInterval", "checkpointInterval"],
    paths: ["dolls.folder"])

  static let defaults = RewardTrainSettings()

  /// How weights are changed.
  var optimization: OptimizationSettings {
    kind == .clip ? clip.optimization : classifier.optimization
  }

  func validate() throws {
    try checking("clip", clip.validate)
    try checking("classifier", classifier.validate)
    func require(_ isSound: Bool, _ key: String, _ found: String, _ expected: String) throws {
      guard isSound else {
        throw ConfigurationError.badValue(key: key, found: found, expected: expected)
      }
    }
    try require(!dolls.folder.isEmpty, "dolls.folder", "nothing", "the folder of doll layers")
    try require(
      (16...1_000_000).contains(validation.count) && validation.count.isMultiple(of: 16),
      "validation.count", "\(validation.count)", "a multiple of 16")
    try require(reportInterval > 0, "reportInterval", "\(reportInterval)", "a number above 0")
    for (key, interval, least) in [
      ("checkpointInterval", checkpointInterval, 1),
      ("validation.interval", validation.interval, 0),
    ] {
      try require(
        interval >= least && interval.isMultiple(of: reportInterval), key, "\(interval)",
        "a multiple of reportInterval, which is \(reportInterval)")
    }
  }

  /// The training from its start.
  func makeTraining() throws -> any RewardTraining {
    let composer = try DollComposer(folder: dolls.folder, distribution: dolls.distribution)
    switch kind {
    case .clip:
      return try CLIPTraining(
        clip, composer: composer, pairs: dolls.pairs, validationCount: validation.count,
        seed: seed)
    case .classifier:
      return try ClassifierTraining(
        classifier, composer: composer, pairs: dolls.pairs, validationCount: validation.count,
        seed: seed)
    }
  }
}
