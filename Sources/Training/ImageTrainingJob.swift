import CaptionedImages
import Configuration
import Foundation
import Media
import NeuralNetworks
import Runs
import TextToImage

/// The settings of `attune image train`.
public struct ImageTrainingSettings: RunConfiguration {
  /// Decides weights, images, noise and dropped prompts; -1 for a random seed, which `config.yaml`
  /// tells.
  public var seed: UInt64 = 0
  /// What learns.
  public var model = ImageModelSettings()
  /// What it learns from.
  public var data = CaptionedDataSettings()
  /// How it learns.
  public var training = ImageTrainingConfiguration()
  /// The images that are drawn on the way; intervals are batches.
  public var samples = SampleGridSettings()
  /// The numbers in the files of the model folder.
  public var weightType = WeightType.float16
  /// Batches between lines of metrics.
  @Setting(.positive) public var reportInterval = 10
  /// Batches between checkpoints, a multiple of `reportInterval`.
  @Setting(.positive) public var checkpointInterval = 500

  /// The settings that a resumed run may change.
  public static let changeableOnResume = ChangeableSettings(
    keys: [
      "training.batchCount", "training.learningRate", "training.finalLearningRate",
      "training.gradientNormLimit", "samples", "weightType", "reportInterval",
      "checkpointInterval",
    ], paths: ["model.folder", "model.embeddings", "data.path"])

  /// The defaults.
  public init() {}

  /// Checks settings that depend on one another.
  public func checkRelations() throws {
    try requireMultiples(
      of: ("reportInterval", reportInterval),
      ("checkpointInterval", checkpointInterval), ("samples.interval", samples.interval))
  }
}

/// Where a training's model comes from.
public struct ImageModelSettings: Settings {
  /// The model folder to start from; a new model if there is none.
  public var folder: String?
  /// Files of learned tokens (textual inversion), each as FILE or TOKEN=FILE, for the model of the
  /// folder; the trained model has them too.
  public var embeddings: [String] = []
  /// The new model.
  public var new = NewModelConfiguration()

  /// The defaults.
  public init() {}

  /// Tokens are learned for the weights of a folder.
  public func checkRelations() throws {
    try ConfigurationError.require(
      embeddings.isEmpty || folder != nil, "embeddings", embeddings.joined(separator: ", "),
      "none for a new model, which learns all its tokens (for another, set model.folder)")
  }
}

/// The training of a text-to-image model: batches, grids of samples and the model folder.
public struct ImageTrainingJob: TrainingJob {
  /// Where it is recorded.
  public let run: Run<ImageTrainingSettings>
  /// What learns.
  public let training: ImageTraining
  private let prompts: [String]

  /// Opens model and data and starts the training, or goes on with it.
  ///
  /// - Throws: what reading models and captioned images throws; `ConfigurationError` for settings
  ///   that do not fit; `RunFolderError` if model or data are others than those of the start.
  public init(_ run: Run<ImageTrainingSettings>) throws {
    let settings = run.configuration
    let (model, source) = try settings.open(for: run)
    let training = try ConfigurationError.within("data") {
      try ImageTraining(
        model: model, configuration: settings.training, source: source, seed: settings.seed)
    }
    if let resumed = run.resumed { try training.restore(resumed.trainingState) }
    if let folder = settings.model.folder { run.log.noteWeights(ofModel: folder) }
    run.log.info(
      "\(training.parameterCount.counting("weight")), vocabulary of "
        + "\(model.tokenizer.vocabulary.identifiers.count.counting("token")), images of "
        + "\(source.width)x\(source.height), run folder \(run.folder.path)")
    self.run = run
    self.training = training
    prompts = try settings.samples.chosenPrompts(source)
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
    let source = training.source
    try run.configuration.samples.check(
      training.model, width: source.width, height: source.height, log: run.log)
  }

  /// Images and videos that show the present iteration, by their paths.
  public var images: [String] {
    guard
      run.configuration.samples.isDue(after: training.iteration, isLast: training.isFinished)
    else { return [] }
    return [run.imagePath("samples", iteration: training.iteration)]
  }

  /// Draws them, after the iteration's checkpoint.
  public func drawImages() throws {
    let source = training.source
    let grid = try run.times.measure("sample") {
      try training.withEMAWeights {
        try run.configuration.samples.draw(
          $0, prompts: prompts, width: source.width, height: source.height)
      }
    }
    try run.write(
      png: Data(grid.rendered().pngBytes()), name: "samples", iteration: training.iteration)
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

extension ImageTrainingSettings {
  /// The most captions that a vocabulary is learned from.
  private static let vocabularyCaptionCount = 20_000

  /// The model with its first weights, and the images.
  fileprivate func open(
    for run: Run<ImageTrainingSettings>
  ) throws -> (TextToImageModel, any CaptionedImageSource) {
    if let input = try RunInput(key: "data.path", contentsOf: data.path) {
      try run.require([input])
    }
    if let folder = model.folder {
      let embedded = try EmbeddedModel<UNet2DConditionModel>(
        folder: folder, embeddings: self.model.embeddings, log: run.log)
      try embedded.require(in: run, key: "model.folder", embeddingsKey: "model.embeddings")
      let model = embedded.model
      let size = model.unet.configuration.sampleSize.map {
        (width: $0[1] * model.reduction, height: $0[0] * model.reduction)
      }
      return (model, try data.makeSource(seed: seed, size: size))
    }
    let source = try data.makeSource(seed: seed, size: nil)
    let count = min(source.count ?? .max, Self.vocabularyCaptionCount)
    let vocabulary = BytePairVocabulary(
      trainedOn: try source.captions(at: Array(0..<count)), size: model.new.text.vocabularySize)
    let model = try ConfigurationError.within("data") {
      try self.model.new.makeModel(
        vocabulary: vocabulary, width: source.width, height: source.height, seed: seed)
    }
    return (model, source)
  }
}
