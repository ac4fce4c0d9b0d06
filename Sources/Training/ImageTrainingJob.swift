import CaptionedImages
import Foundation
import Media
import NeuralNetworks
import Runs
import TextToImage

/// The settings of `attune image train`.
public struct ImageTrainingSettings: RunConfiguration {
  /// Decides weights, pictures, noise and dropped prompts.
  public var seed: UInt64 = 0
  /// What learns.
  public var model = ImageModelSettings.defaults
  /// What it learns from.
  public var data = CaptionedDataSettings.defaults
  /// How it learns.
  public var training = ImageTrainingConfiguration()
  /// The pictures that are drawn on the way; intervals are batches.
  public var samples = SampleGridSettings.defaults
  /// The numbers in the files of the model folder.
  public var weightType = WeightType.float16
  /// Batches between lines of metrics.
  public var reportInterval = 10
  /// Batches between checkpoints, a multiple of `reportInterval`.
  public var checkpointInterval = 500

  /// What may be changed when a run is resumed.
  public static let changeableOnResume = ChangeableSettings(
    keys: [
      "training.batchCount", "training.learningRate", "training.finalLearningRate",
      "training.gradientNormLimit", "samples", "weightType", "reportInterval",
      "checkpointInterval",
    ], paths: ["model.folder", "data.path"])

  /// What holds where nothing else is set.
  public static let defaults = ImageTrainingSettings()

  /// Checks ranges.
  public func validate() throws {
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
public struct ImageModelSettings: RunConfiguration {
  /// The model folder to start from; a new model if there is none.
  public var folder: String?
  /// The new model.
  public var new = NewModelConfiguration()

  /// What holds where nothing else is set.
  public static let defaults = ImageModelSettings()

  /// Checks ranges.
  public func validate() throws { try checking("new") { try new.validate() } }
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
  /// - Throws: what reading models and captioned images throws; `ConfigurationError` for settings that
  ///   do not fit; `RunFolderError` if model or data are others than those of the start.
  public init(_ run: Run<ImageTrainingSettings>) throws {
    let settings = run.configuration
    let (model, source) = try settings.open(for: run)
    let training = try settings.checking("data") {
      try ImageTraining(
        model: model, configuration: settings.training, source: source, seed: settings.seed)
    }
    if let resumed = run.resumed { try training.restore(resumed.trainingState) }
    if let folder = settings.model.folder { run.log.noteWeights(ofModel: folder) }
    run.log.say(
      "\(training.parameterCount.counting("weight")), vocabulary of "
        + "\(model.tokenizer.vocabulary.identifiers.count.counting("token")), pictures of "
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
  /// The setting that says how many iterations there are to be.
  public var iterationsKey: String { "training.batchCount" }
  /// What it is all for.
  public var resultNoun: String { "model" }
  /// Where that is.
  public var resultPaths: [String] { [modelFolder] }
  private var modelFolder: String { "\(run.folder.path)/model" }

  /// Tries what later iterations and their images will need.
  public func check() throws {
    let source = training.source
    try run.configuration.samples.check(
      training.model, width: source.width, height: source.height)
  }

  /// Images and videos that show the present iteration.
  public var images: [String] {
    guard
      run.configuration.samples.isDue(after: training.iteration, isLast: training.isFinished)
    else { return [] }
    return [run.imagePath("samples", iteration: training.iteration)]
  }

  /// Draws them.
  public func drawImages() throws {
    let source = training.source
    let grid = try run.times.measure("sample") {
      try training.withAveragedWeights {
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
      try training.withAveragedWeights {
        try $0.write(folder: modelFolder, elementType: elementType)
      }
    }
  }
}

extension ImageTrainingSettings {
  /// The most captions that a vocabulary is learned from.
  private static let vocabularyCaptionCount = 20_000

  /// The model with its first weights, and the pictures.
  fileprivate func open(
    for run: Run<ImageTrainingSettings>
  ) throws -> (TextToImageModel, any CaptionedImageSource) {
    if let input = try RunInput(key: "data.path", contentsOf: data.path) {
      try run.require([input])
    }
    if let folder = model.folder {
      let model = try TextToImageModel(folder: folder)
      try run.require([
        RunInput(key: "model.folder", path: folder, fingerprint: model.fingerprint)
      ])
      let size = model.unet.configuration.sampleSize.map {
        (width: $0[1] * model.reduction, height: $0[0] * model.reduction)
      }
      return (model, try data.makeSource(seed: seed, size: size))
    }
    let source = try data.makeSource(seed: seed, size: nil)
    let count = min(source.count ?? .max, Self.vocabularyCaptionCount)
    let vocabulary = BytePairVocabulary(
      trainedOn: try source.captions(at: Array(0..<count)), size: model.new.text.vocabularySize)
    let model = try checking("data") {
      try self.model.new.makeModel(
        vocabulary: vocabulary, width: source.width, height: source.height, seed: seed)
    }
    return (model, source)
  }
}
