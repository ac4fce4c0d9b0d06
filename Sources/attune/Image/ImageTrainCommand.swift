import ArgumentParser
import CaptionedImages
import NeuralNetworks
import Runs
import TextToImage

/// `attune image train --config FILE.yaml [--output RUN] [key.path=value ...]`
struct ImageTrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Trains a text-to-image model on captioned pictures.",
    discussion: """
      The run folder gets checkpoints, metrics, TensorBoard events and sample grids, and the model \
      with averaged weights in model/, in the layout of diffusers.

      Examples:
        attune image train --config samples/dolls/train.yaml data.path=dolls
        attune image train --config samples/dolls/train.yaml --output runs/dolls \\
          seed=1
        attune image train --resume runs/dolls
      """)

  @OptionGroup var options: TrainingOptions

  func run() throws {
    let run = try options.open(
      ImageTrainSettings.self, command: "image train", named: "image-train")
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
    try TrainingLoop(unit: "batch", isQuiet: options.quiet)
      .train(
        ImageTrainWork(
          run: run, training: training, prompts: try settings.samples.chosenPrompts(source)))
  }
}

extension ImageTrainSettings {
  /// The most captions that a vocabulary is learned from.
  private static let vocabularyCaptionCount = 20_000

  /// The model with its first weights, and the pictures.
  fileprivate func open(
    for run: Run<ImageTrainSettings>
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
