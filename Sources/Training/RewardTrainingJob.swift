import CaptionedMedia
import Configuration
import NeuralNetworks
import Rewards
import Runs
import Tensors

/// The settings of `attune reward train`.
public struct RewardTrainingSettings: RunConfiguration {
  /// What is trained.
  public enum Kind: String, Codable, CaseIterable, Sendable {
    /// A CLIP model: how well an image fits a text.
    case clip
    /// A classifier of what fills each slot of a doll or a sprite, to score images or clips by or to
    /// optimize.
    case classifier
  }

  /// The images.
  public struct Dolls: Settings {
    /// The folder of layers; empty for images of your own (`data`).
    public var folder = ""
    /// Which dolls are shown.
    public var pairs = PairSelection.all
    /// How often a doll has what, and how much a caption tells.
    public var distribution = DollDistribution()

    /// The defaults.
    public init() {}
  }

  /// Characters of sprite sheets, in place of dolls.
  public struct Sprites: Settings {
    /// What a classifier of sprites looks at.
    public enum Subject: String, Codable, CaseIterable, Sendable {
      /// What a character wears, in a single frame.
      case look
      /// What a character does, in a clip.
      case motion
    }

    /// The folder of sheets that a classifier learns from in place of dolls.
    public var folder = ""
    /// What it looks at.
    public var subject = Subject.look
    /// Frames of each clip.
    @Setting(2...64) public var frames = 8
    /// Pixels in a row, and rows, of each frame.
    @Setting(4...8_192) public var size = 32
    /// Which characters are shown.
    public var pairs = PairSelection.all
    /// The fraction of clips that are spoiled for a classifier of motion, and show no action.
    @Setting(.fraction) public var spoiledFraction = 0.25
    /// How often a character has what.
    public var distribution = SpriteDistribution()

    /// The defaults.
    public init() {}

    /// What a classifier learns from.
    func source(
      _ composer: SpriteComposer, pairs: PairSelection, seed: UInt64
    ) throws -> any AttributedMediaSource {
      let clips = try SpriteSource(
        SpriteSampler(composer, distribution: distribution), seed: seed, pairs: pairs, width: size,
        height: size)
      return switch subject {
      case .look: SpriteFrameSource(clips)
      case .motion: SpriteMotionSource(clips, spoiledFraction: spoiledFraction)
      }
    }
  }

  /// Captioned images of one's own, in place of dolls.
  public struct Images: Settings {
    /// What lies at `path`.
    public enum Kind: String, Codable, CaseIterable, Sendable {
      /// PNG files with captions.
      case folder
      /// Images and captions in one file.
      case npz
    }

    /// What lies at `path`.
    public var kind = Kind.folder
    /// The folder or file of captioned images that a CLIP model learns from in place of dolls; laid
    /// out as for `image train`.
    public var path = ""
    /// Pixels in a row, and rows, that images are scaled and cut to; that of the arrays if there is
    /// none.
    @Setting(1...8_192) public var size: Int? = nil
    /// The color behind what is transparent, RRGGBB; white if there is none.
    public var background: String?
    /// The fraction of the images that is kept for validation and never learned from.
    @Setting(.properFraction) public var validationFraction = 0.1

    /// The defaults.
    public init() {}

    /// The same as the settings of other trainings on captioned images.
    var captioned: CaptionedDataSettings {
      var data = CaptionedDataSettings()
      data.kind = kind == .folder ? .folder : .npz
      data.path = path
      (data.width, data.height) = (size, size)
      data.background = background
      return data
    }

    /// Checks settings that depend on one another.
    public func checkRelations() throws {
      guard !path.isEmpty else { return }
      try captioned.checkRelations()
      try ConfigurationError.require(
        kind == .npz || size != nil, "size", "nothing",
        "a number of pixels, as files may differ in size")
    }
  }

  /// How the model is evaluated on the way.
  public struct Validation: Settings {
    /// Steps between two validations; 0 for the end only.
    @Setting(.notNegative) public var interval = 1000
    /// Images of each, a multiple of 16.
    @Setting(.multipleOf16) public var count = 512

    /// The defaults.
    public init() {}
  }

  /// Decides weights, images and noise; -1 for a random seed, which `config.yaml` tells.
  public var seed: UInt64 = 0
  /// The precision of matrix products: `highest` is in 32-bit floats, `high` near them, and `medium`
  /// in bfloat16; where the processor has no instructions for one, it is computed as `highest`.
  public var precision = Precision.highest
  /// What is trained.
  public var kind = Kind.clip
  /// What it is trained on.
  public var dolls = Dolls()
  /// What a classifier is trained on in place of dolls.
  public var sprites = Sprites()
  /// What a CLIP model is trained on in place of dolls.
  public var data = Images()
  /// The CLIP model, where `kind` is `clip`.
  public var clip = CLIPTrainingConfiguration()
  /// The classifier, where `kind` is `classifier`.
  public var classifier = ClassifierTrainingConfiguration()
  /// How it is evaluated on the way.
  public var validation = Validation()
  /// How the weights of the model folder are written.
  public var weightType = WeightType.float32
  /// Steps between lines of metrics.
  @Setting(.positive) public var reportInterval = 50
  /// Steps between checkpoints, a multiple of `reportInterval`.
  @Setting(.positive) public var checkpointInterval = 500

  /// The settings that a resumed run may change.
  public static let changeableOnResume = ChangeableSettings(
    keys: ["clip", "classifier"].flatMap { kind in
      ["stepCount", "learningRate", "finalLearningRate", "gradientNormLimit"].map {
        "\(kind).optimization.\($0)"
      }
    } + ["precision", "validation.interval", "weightType", "reportInterval", "checkpointInterval"],
    paths: ["dolls.folder", "sprites.folder", "data.path"])

  /// The defaults.
  public init() {}

  /// How weights are changed.
  var optimization: OptimizationSettings {
    kind == .clip ? clip.optimization : classifier.optimization
  }

  /// Checks settings that depend on one another.
  public func checkRelations() throws {
    let given = inputs.filter { !$0.path.isEmpty }
    try ConfigurationError.require(
      !given.isEmpty, "dolls.folder", "nothing",
      "the folder of doll layers, or of sprite sheets by sprites.folder, or captioned images of "
        + "your own by data.path")
    if given.count > 1 {
      throw ConfigurationError.badValue(
        key: given[1].key, found: given[1].path,
        expected: "nothing beside \(given[0].key); choose one of them")
    }
    try ConfigurationError.require(
      data.path.isEmpty || kind == .clip, "data.path", data.path,
      "dolls.folder or sprites.folder instead: a classifier learns what a catalogue lists")
    try ConfigurationError.require(
      sprites.folder.isEmpty || kind == .classifier, "sprites.folder", sprites.folder,
      "dolls.folder or data.path instead: a CLIP model learns from images")
    // Nobody knows which images of a user's own are alike.
    if data.path.isEmpty { try ConfigurationError.within("clip", clip.requireWholeGroups) }
    try requireMultiples(
      of: ("reportInterval", reportInterval),
      ("checkpointInterval", checkpointInterval), ("validation.interval", validation.interval))
  }

  /// What may be read to learn from, by the setting that names it; one of them is.
  private var inputs: [(key: String, path: String)] {
    [
      ("dolls.folder", dolls.folder), ("sprites.folder", sprites.folder), ("data.path", data.path),
    ]
  }

  /// What is read to learn from, by the setting that names it.
  var input: (key: String, path: String) {
    inputs.first { !$0.path.isEmpty } ?? ("dolls.folder", "")
  }

  /// The training from its start.
  func makeTraining(
    over communicator: any Communicator = SingleProcess()
  ) throws -> any RewardTraining {
    if !data.path.isEmpty {
      return try CLIPTraining(
        clip, source: data.captioned.makeSource(seed: seed, size: nil),
        validationFraction: data.validationFraction, validationCount: validation.count, seed: seed,
        communicator: communicator)
    }
    if !sprites.folder.isEmpty {
      let composer = try SpriteComposer(folder: sprites.folder, frameCount: sprites.frames)
      return try ClassifierTraining(
        classifier, source: sprites.source(composer, pairs: sprites.pairs, seed: seed),
        unseen: sprites.source(composer, pairs: sprites.pairs, seed: ~seed),
        heldOut: sprites.source(composer, pairs: .heldOut, seed: ~seed),
        sizeKey: "sprites.size", validationCount: validation.count, seed: seed,
        communicator: communicator)
    }
    let composer = try DollComposer(folder: dolls.folder, distribution: dolls.distribution)
    switch kind {
    case .clip:
      return try CLIPTraining(
        clip, composer: composer, pairs: dolls.pairs, validationCount: validation.count,
        seed: seed, communicator: communicator)
    case .classifier:
      return try ClassifierTraining(
        classifier, composer: composer, pairs: dolls.pairs, validationCount: validation.count,
        seed: seed, communicator: communicator)
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
  /// - Throws: what reading captioned images throws; `ConfigurationError` for settings that do not
  ///   fit;
  ///   `RunFolderError` if the data are others than those of the start.
  public init(_ run: Run<RewardTrainingSettings>) throws {
    let (key, path) = run.configuration.input
    if let input = try RunInput(key: key, contentsOf: path) { try run.require([input]) }
    let training = try run.configuration.makeTraining(over: run.communicator)
    if let resumed = run.resumed { try training.restore(resumed.rewardTrainingState) }
    for note in training.notes { run.log.info(note.printable) }
    run.log.info(
      "\(run.configuration.kind.rawValue) of \(training.parameterCount.counting("weight")), "
        + "run folder \(run.folder.path)")
    self.run = run
    self.training = training
  }

  /// What is said of a validation; all of it is in the metrics.
  private static let headlines = [
    "retrievalAccuracy", "itemAccuracy", "retrievalAccuracyHeldOut", "attributeAccuracy",
    "attributeAccuracyHeldOut", "imageAccuracy",
  ]

  /// What learns.
  public var trainer: any Trainer { training }
  /// What an iteration is called.
  public var unit: String { "step" }
  /// Iterations between lines of metrics.
  public var reportInterval: Int { run.configuration.reportInterval }
  /// Iterations between checkpoints.
  public var checkpointInterval: Int { run.configuration.checkpointInterval }
  /// The setting that states how many iterations there are to be.
  public var iterationsKey: String { "\(run.configuration.kind.rawValue).optimization.stepCount" }
  /// What it is all for.
  public var resultNoun: String { "model" }
  /// Where the result is.
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
    guard !words.isEmpty else { return }
    run.log.info("step \(training.iteration.grouped): \(words.joined(separator: ", "))")
  }

  /// Writes what the training is for, as it is now.
  public func writeResults() throws {
    try training.write(
      folder: modelFolder, elementType: run.configuration.weightType.elementType)
  }
}

extension Checkpoint {
  /// The state of a reward's training, also of runs whose tensors had no prefix yet.
  public var rewardTrainingState: TrainingState {
    var state = trainingState
    if state.tensors.isEmpty { state.tensors = tensors(prefix: "") }
    return state
  }
}

extension SettingRange<Int> {
  fileprivate static var multipleOf16: SettingRange {
    .init("a multiple of 16, up to 1000000") {
      (16...1_000_000).contains($0) && $0.isMultiple(of: 16)
    }
  }
}
