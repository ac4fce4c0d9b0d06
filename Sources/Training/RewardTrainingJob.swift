import CaptionedImages
import NeuralNetworks
import Rewards
import Runs

/// The settings of `attune reward train`.
public struct RewardTrainingSettings: RunConfiguration {
  /// What is trained.
  public enum Kind: String, Codable, CaseIterable, Sendable {
    /// A CLIP model: how well a picture fits a text.
    case clip
    /// A classifier of what a doll has in each slot, to judge pictures by or to optimize.
    case classifier
  }

  /// The pictures.
  public struct Dolls: Codable, Hashable, Sendable {
    /// The folder of layers.
    public var folder = ""
    /// Which dolls are shown.
    public var pairs = DollPairs.all
    /// How often a doll has what, and how much a caption tells.
    public var distribution = DollDistribution()
  }

  /// How the model is judged on the way.
  public struct Validation: Codable, Hashable, Sendable {
    /// Steps between two validations; 0 for the end only.
    public var interval = 1000
    /// Pictures of each, a multiple of 16.
    public var count = 512
  }

  /// Decides weights, pictures and noise.
  public var seed: UInt64 = 0
  /// What is trained.
  public var kind = Kind.clip
  /// What it is trained on.
  public var dolls = Dolls()
  /// The CLIP model, where `kind` is `clip`.
  public var clip = CLIPTrainingConfiguration()
  /// The classifier, where `kind` is `classifier`.
  public var classifier = ClassifierTrainingConfiguration()
  /// How it is judged on the way.
  public var validation = Validation()
  /// How the weights of the model folder are written.
  public var weightType = WeightType.float32
  /// Steps between lines of metrics.
  public var reportInterval = 50
  /// Steps between checkpoints, a multiple of `reportInterval`.
  public var checkpointInterval = 500

  /// What may be changed when a run is resumed.
  public static let changeableOnResume = ChangeableSettings(
    keys: ["clip", "classifier"].flatMap { kind in
      ["stepCount", "learningRate", "finalLearningRate", "gradientNormLimit"].map {
        "\(kind).optimization.\($0)"
      }
    } + ["validation.interval", "weightType", "reportInterval", "checkpointInterval"],
    paths: ["dolls.folder"])

  /// What holds where nothing else is set.
  public static let defaults = RewardTrainingSettings()

  /// How weights are changed.
  var optimization: OptimizationSettings {
    kind == .clip ? clip.optimization : classifier.optimization
  }

  /// Checks ranges.
  public func validate() throws {
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

/// The training of a model that scores images: steps, validations and the model folder.
public struct RewardTrainingJob: TrainingJob {
  /// Where it is recorded.
  public let run: Run<RewardTrainingSettings>
  /// What learns.
  public let training: any RewardTraining

  /// Opens the data and starts the training, or goes on with it.
  ///
  /// - Throws: what reading captioned images throws; `SettingError` for settings that do not fit;
  ///   `RunFolderError` if the data are others than those of the start.
  public init(_ run: Run<RewardTrainingSettings>) throws {
    if let input = try RunInput(
      key: "dolls.folder", contentsOf: run.configuration.dolls.folder)
    {
      try run.require([input])
    }
    let training = try run.configuration.makeTraining()
    if let resumed = run.resumed { try training.restore(resumed.rewardTrainingState) }
    run.log.say(
      "\(run.configuration.kind.rawValue) of \(training.parameterCount.counting("weight")), "
        + "run folder \(run.folder.path)")
    self.run = run
    self.training = training
  }

  /// What is said of a validation; all of it is in the metrics.
  private static let headlines = [
    "retrievalAccuracy", "itemAccuracy", "retrievalAccuracyHeldOut", "attributeAccuracy",
    "attributeAccuracyHeldOut", "pictureAccuracy",
  ]

  /// What learns.
  public var trainer: any Trainer { training }
  /// What an iteration is called.
  public var unit: String { "step" }
  /// Iterations between lines of metrics.
  public var reportInterval: Int { run.configuration.reportInterval }
  /// Iterations between checkpoints.
  public var checkpointInterval: Int { run.configuration.checkpointInterval }
  /// The setting that says how many iterations there are to be.
  public var iterationsKey: String { "\(run.configuration.kind.rawValue).optimization.stepCount" }
  /// What it is all for.
  public var resultNoun: String { "model" }
  /// Where that is.
  public var resultPaths: [String] { [modelFolder] }
  private var modelFolder: String { "\(run.folder.path)/model" }

  /// Adds evaluations that are due to a line of metrics.
  public mutating func evaluate(into record: inout MetricsRecord, isLast: Bool) throws {
    let interval = run.configuration.validation.interval
    guard isLast || interval > 0 && training.iteration.isMultiple(of: interval) else { return }
    let metrics = try run.times.measure("validate") { try training.validationMetrics() }
    for (name, value) in metrics { record[name] = value }
    let words = metrics.filter { Self.headlines.contains($0.key) }
      .sorted { $0.key < $1.key }
      .map { "\($0.key) \(($0.value * 100).short)%" }
    run.log.say("step \(training.iteration.grouped): \(words.joined(separator: ", "))")
  }

  /// Writes what the training is for, as it is now.
  public func writeResults() throws {
    try training.write(
      folder: modelFolder, elementType: run.configuration.weightType.elementType)
  }
}

extension Checkpoint {
  /// The state of a judge's training, also of runs whose tensors had no prefix yet.
  public var rewardTrainingState: TrainingState {
    var state = trainingState
    if state.tensors.isEmpty { state.tensors = tensors(prefix: "") }
    return state
  }
}
