import CaptionedMedia
import Configuration
import Files
import Foundation
import GenerativeModels
import Media
import NeuralNetworks
import Runs
import Tensors
import TextToImage
import TextToVideo

/// What the settings of trainings of images and of clips have in common.
public protocol PromptedTrainingSettings: RunConfiguration {
  /// What is trained.
  associatedtype Model: PromptedModelSettings

  /// Decides weights, data, noise and dropped prompts.
  var seed: UInt64 { get }
  /// What learns.
  var model: Model { get }
  /// What it learns from.
  var data: CaptionedDataSettings { get }
  /// How it learns.
  var training: PromptedTrainingConfiguration { get }
  /// What is drawn on the way.
  var samples: SampleGridSettings { get }
  /// The numbers in the files of the model folder.
  var weightType: WeightType { get }
  /// Batches between lines of metrics.
  var reportInterval: Int { get }
  /// Batches between checkpoints.
  var checkpointInterval: Int { get }
}

extension PromptedTrainingSettings {
  /// The settings that a resumed run may change.
  public static var changeableOnResume: ChangeableSettings {
    ChangeableSettings(
      keys: [
        "precision", "training.batchCount", "training.learningRate", "training.finalLearningRate",
        "training.gradientNormLimit", "samples", "weightType", "reportInterval",
        "checkpointInterval",
      ], paths: ["model.folder", "model.embeddings", "model.loras", "data.path"])
  }

  /// Checks settings that depend on one another.
  public func checkRelations() throws {
    try requireMultiples(
      of: ("reportInterval", reportInterval),
      ("checkpointInterval", checkpointInterval), ("samples.interval", samples.interval))
  }
}

/// What a new model is made of, as settings.
public protocol NewModelSettings: Settings {
  /// The maximum number of tokens of the vocabulary that is learned from the captions.
  var vocabularySize: Int { get }
}

extension NewModelConfiguration: NewModelSettings {
  /// That of the text encoder.
  public var vocabularySize: Int { text.vocabularySize }
}

extension NewClipModelConfiguration: NewModelSettings {
  /// That of the text encoder.
  public var vocabularySize: Int { text.vocabularySize }
}

/// Where a training's model comes from: a folder, or it is new.
public protocol PromptedModelSettings: Settings {
  /// What a new model is made of.
  associatedtype New: NewModelSettings

  /// The model folder to start from; a new model if there is none.
  var folder: String? { get }
  /// Files of learned tokens.
  var embeddings: [String] { get }
  /// Files of low-rank changes.
  var loras: [String] { get }
  /// The new model.
  var new: New { get }
}

extension PromptedModelSettings {
  /// Tokens and low-rank changes are learned for the weights of a folder.
  public func checkRelations() throws {
    try ConfigurationError.require(
      loras.isEmpty || folder != nil, "loras", loras.joined(separator: ", "),
      "none for a new model, which has no weights to change (for another, set model.folder)")
    try ConfigurationError.require(
      embeddings.isEmpty || folder != nil, "embeddings", embeddings.joined(separator: ", "),
      "none for a new model, which learns all its tokens (for another, set model.folder)")
  }
}

/// The settings of `attune image train`.
public struct ImageTrainingSettings: PromptedTrainingSettings {
  /// Decides weights, images, noise and dropped prompts; -1 for a random seed, which `config.yaml`
  /// tells.
  public var seed: UInt64 = 0
  /// The precision of matrix products: `highest` is in 32-bit floats, `high` near them, and `medium`
  /// in bfloat16; where the processor has no instructions for one, it is computed as `highest`.
  public var precision = Precision.highest
  /// What learns.
  public var model = ImageModelSettings()
  /// What it learns from.
  public var data = CaptionedDataSettings()
  /// How it learns.
  public var training = PromptedTrainingConfiguration()
  /// The images that are drawn on the way; intervals are batches.
  public var samples = SampleGridSettings()
  /// The numbers in the files of the model folder.
  public var weightType = WeightType.float16
  /// Batches between lines of metrics.
  @Setting(.positive) public var reportInterval = 10
  /// Batches between checkpoints, a multiple of `reportInterval`.
  @Setting(.positive) public var checkpointInterval = 500

  /// The defaults.
  public init() {}
}

/// Where the model of a training on images comes from.
public struct ImageModelSettings: PromptedModelSettings {
  /// The model folder to start from; a new model if there is none.
  public var folder: String?
  /// Files of learned tokens (textual inversion), each as FILE or TOKEN=FILE, for the model of the
  /// folder; the trained model has them too.
  public var embeddings: [String] = []
  /// Files of low-rank changes (LoRA), each as FILE or FILE:SCALE, that are added to the weights of
  /// the folder's model.
  public var loras: [String] = []
  /// The new model.
  public var new = NewModelConfiguration()

  /// The defaults.
  public init() {}
}

/// The settings of `attune video train`.
public struct VideoTrainingSettings: PromptedTrainingSettings {
  /// Decides weights, clips, noise and dropped prompts; -1 for a random seed, which `config.yaml`
  /// tells.
  public var seed: UInt64 = 0
  /// The precision of matrix products: `highest` is in 32-bit floats, `high` near them, and `medium`
  /// in bfloat16; where the processor has no instructions for one, it is computed as `highest`.
  public var precision = Precision.highest
  /// What learns.
  public var model = VideoModelSettings()
  /// What it learns from.
  public var data = CaptionedDataSettings()
  /// How it learns.
  public var training = PromptedTrainingConfiguration()
  /// The clips that are drawn on the way; intervals are batches.
  public var samples = SampleGridSettings()
  /// The numbers in the files of the model folder.
  public var weightType = WeightType.float16
  /// Batches between lines of metrics.
  @Setting(.positive) public var reportInterval = 10
  /// Batches between checkpoints, a multiple of `reportInterval`.
  @Setting(.positive) public var checkpointInterval = 500

  /// The defaults.
  public init() {}
}

/// Where the model of a training on clips comes from.
public struct VideoModelSettings: PromptedModelSettings {
  /// The model folder to start from, of `TextToVideoSDPipeline` or `AnimateDiffPipeline`; a new model
  /// if there is none.
  public var folder: String?
  /// Files of learned tokens (textual inversion), each as FILE or TOKEN=FILE, for the model of the
  /// folder; the trained model has them too.
  public var embeddings: [String] = []
  /// Files of low-rank changes (LoRA), each as FILE or FILE:SCALE, that are added to the weights of
  /// the folder's model.
  public var loras: [String] = []
  /// The new model.
  public var new = NewClipModelConfiguration()

  /// The defaults.
  public init() {}
}

/// The training of a text-to-image model.
public typealias ImageTrainingJob = PromptedTrainingJob<ImageTrainingSettings, TextToImagePipeline>

extension ImageTrainingJob {
  /// Opens model and data and starts the training, or goes on with it.
  ///
  /// - Throws: what reading models and captioned images throws; `ConfigurationError` for settings
  ///   that do not fit; `RunFolderError` if model or data are others than those of the start.
  public init(_ run: Run<ImageTrainingSettings>) throws {
    try self.init(run) { new, vocabulary, source in
      try new.makeModel(
        vocabulary: vocabulary, width: source.width, height: source.height,
        seed: run.configuration.seed)
    }
  }
}

/// The training of a text-to-video model, whichever kind it is.
public enum VideoTrainingJob {
  /// Opens model and data and starts the training, or goes on with it.
  ///
  /// - Throws: what reading models and captioned clips throws; `ConfigurationError` for settings
  ///   that do not fit; `RunFolderError` if model or data are others than those of the start.
  public static func job(_ run: Run<VideoTrainingSettings>) throws -> any TrainingJob {
    let settings = run.configuration
    if let folder = settings.model.folder,
      try TextToVideoModel.pipelineClass(folder: folder) == UNetMotionModel.pipelineClass
    {
      return try PromptedTrainingJob<VideoTrainingSettings, AnimateDiffPipeline>(run) { _, _, _ in
        // A folder is there.
        throw FileError(.missing, path: folder, problem: "is no model folder any more")
      }
    }
    return try PromptedTrainingJob<VideoTrainingSettings, TextToVideoPipeline>(run) {
      new, vocabulary, source in
      try new.makeModel(
        vocabulary: vocabulary, width: source.width, height: source.height, seed: settings.seed)
    }
  }
}

/// The training of a model of images or clips: batches, grids of samples and the model folder.
public struct PromptedTrainingJob<
  Settings: PromptedTrainingSettings, Pipeline: PromptedPipeline
>: TrainingJob {
  /// Where it is recorded.
  public let run: Run<Settings>
  /// What learns.
  public let training: PromptedTraining<Pipeline.Network>
  private let prompts: [String]

  /// - Parameter makeModel: gives what settings ask for its first weights, with a vocabulary for
  ///   captions of a source.
  init(
    _ run: Run<Settings>,
    makeModel: (Settings.Model.New, BytePairVocabulary, any CaptionedMediaSource) throws ->
      PromptedModel<Pipeline.Network>
  ) throws {
    let settings = run.configuration
    let (model, source) = try Self.open(run, makeModel: makeModel)
    let training = try ConfigurationError.within("data") {
      try PromptedTraining(
        model: model, configuration: settings.training, source: source, seed: settings.seed,
        communicator: run.communicator)
    }
    if let resumed = run.resumed { try training.restore(resumed.trainingState) }
    if let folder = settings.model.folder { run.log.noteWeights(ofModel: folder) }
    let size = "\(source.width)x\(source.height)"
    run.log.info(
      "\(training.parameterCount.counting("weight")), vocabulary of "
        + "\(model.tokenizer.vocabulary.identifiers.count.counting("token")), "
        + (source.frames.map { "clips of \($0.counting("frame")) of \(size)" }
          ?? "images of \(size)")
        + ", run folder \(run.folder.path)")
    self.run = run
    self.training = training
    prompts = try settings.samples.chosenPrompts(source)
  }

  /// The most captions that a vocabulary is learned from.
  private static var vocabularyCaptionCount: Int { 20_000 }

  /// The model with its first weights, and the data.
  private static func open(
    _ run: Run<Settings>,
    makeModel: (Settings.Model.New, BytePairVocabulary, any CaptionedMediaSource) throws ->
      PromptedModel<Pipeline.Network>
  ) throws -> (PromptedModel<Pipeline.Network>, any CaptionedMediaSource) {
    let settings = run.configuration
    if let input = try RunInput(key: "data.path", contentsOf: settings.data.path) {
      try run.require([input])
    }
    if let folder = settings.model.folder {
      let sourced = try SourcedModel<Pipeline.Network>(
        ModelSource(
          folder: folder, embeddings: settings.model.embeddings, loras: settings.model.loras),
        log: run.log)
      try sourced.require(in: run, keys: ModelSource.Keys(in: "model"))
      let model = sourced.model
      let size = model.unet.configuration.sampleSize.map {
        (width: $0[1] * model.reduction, height: $0[0] * model.reduction)
      }
      return (model, try settings.data.makeSource(seed: settings.seed, size: size))
    }
    let source = try settings.data.makeSource(seed: settings.seed, size: nil)
    let count = min(source.count ?? .max, vocabularyCaptionCount)
    let vocabulary = BytePairVocabulary(
      trainedOn: try source.captions(at: Array(0..<count)),
      size: settings.model.new.vocabularySize)
    let model = try ConfigurationError.within("data") {
      try makeModel(settings.model.new, vocabulary, source)
    }
    return (model, source)
  }

  /// What learns.
  public var trainer: any Trainer { training }
  /// What an iteration is called.
  public var unit: String { "batch" }
  /// Iterations between lines of metrics.
  public var reportInterval: Int { run.configuration.reportInterval }
  /// Iterations between checkpoints.
  public var checkpointInterval: Int { run.configuration.checkpointInterval }
  /// The setting that states how many iterations there are to be.
  public var iterationsKey: String { "training.batchCount" }
  /// What it is all for.
  public var resultNoun: String { "model" }
  /// Where the result is.
  public var resultPaths: [String] { [modelFolder] }
  private var modelFolder: String { "\(run.folder.path)/model" }

  /// Tries what later iterations and their images will need; nothing is written.
  public func check() throws {
    try run.configuration.samples.check(
      Pipeline(training.model), source: training.source, log: run.log)
  }

  /// Images and videos that show the present iteration, by their paths.
  public var images: [String] {
    guard
      run.configuration.samples.isDue(after: training.iteration, isLast: training.isFinished)
    else { return [] }
    return MediaGrid.paths(
      in: run, name: "samples", iteration: training.iteration,
      ofClips: training.source.frames != nil)
  }

  /// Draws them, after the iteration's checkpoint.
  public func drawImages() throws {
    let settings = run.configuration.samples
    let media = try run.times.measure("sample") {
      try training.withEMAWeights {
        try settings.draw(Pipeline($0), prompts: prompts, source: training.source)
      }
    }
    try MediaGrid(media: media, request: settings.request(prompts)).write(
      in: run, name: "samples", iteration: training.iteration)
  }

  /// Writes what the training is for, as it is now.
  public func writeResults() throws {
    let elementType = run.configuration.weightType.elementType
    try run.times.measure("write the model") {
      try training.withEMAWeights {
        try $0.write(folder: modelFolder, elementType: elementType)
      }
    }
  }
}
