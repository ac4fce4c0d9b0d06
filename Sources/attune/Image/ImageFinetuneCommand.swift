import ArgumentParser
import Foundation
import ImageFineTuning
import NeuralNetworks
import Runs
import TextToImage

/// `attune image finetune --config FILE.yaml | --model DIR --prompt TEXT ... --reward NAME`
struct ImageFinetuneCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "finetune",
    abstract: "Improves a text-to-image model's weights by a reward of its pictures (DDPO, DPOK).",
    discussion: """
      Policy gradients over all denoising steps. A reward is what attune reward score takes. The \
      run folder gets checkpoints, metrics and TensorBoard events, images/before.png and \
      images/after.png of the same fresh seeds, the improved model in model/, and, with \
      training.loraRank above 0, its low-rank changes in pytorch_lora_weights.safetensors, which \
      diffusers loads.

      Examples:
        attune image finetune --config samples/dolls/finetune.yaml
        attune image finetune --model checkpoints/dolls --prompt "an elf in a red robe" \\
          --reward incompressibility --output runs/elf training.klCoefficient=0.01
        attune image finetune --resume runs/elf
      """)

  @Option(help: "The model folder, in place of that of the settings.")
  var model: String?

  @Option(
    name: .customLong("prompt"),
    help: "What to draw, in place of the settings' prompts; may be given again for more.")
  var prompts: [String] = []

  @Option(help: "The reward, in place of that of the settings.")
  var reward: String?

  @Option(help: "The folder of the CLIP model, in place of that of the settings.")
  var clip: String?

  @OptionGroup var options: TrainingOptions

  func run() throws {
    var options = options
    for (key, value) in [("model", model), ("reward", reward), ("clip", clip)] {
      if let value { options.overrides.append("\(key)=\(try Self.yaml([value], isList: false))") }
    }
    if !prompts.isEmpty {
      options.overrides.append("prompts=\(try Self.yaml(prompts, isList: true))")
    }
    let run = try options.open(
      ImageFinetuneSettings.self, named: "image-finetune", needsFile: model == nil)
    let settings = run.configuration
    let judge = try settings.makeReward()
    let training: ImageFineTuning
    do {
      training = try ImageFineTuning(
        model: TextToImageModel(folder: settings.model), configuration: settings.training,
        prompts: settings.prompts, reward: judge, seed: settings.seed)
    } catch let error as SettingError {
      throw ConfigurationError.badValue(
        key: "training.\(error.key)", found: error.found, expected: error.expected)
    }
    if let resumed = run.resumed { try training.restore(resumed.trainingState) }
    run.log.say(
      "\(training.parameterCount.counting("weight")), "
        + "\(settings.prompts.count.counting("prompt")), run folder \(run.folder.path)")
    var loop = ImageFinetuneLoop(
      run: run, training: training, reward: judge, isQuiet: options.quiet)
    try loop.train()
  }

  /// Texts as YAML, which JSON is.
  private static func yaml(_ texts: [String], isList: Bool) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    let data = isList ? try encoder.encode(texts) : try encoder.encode(texts[0])
    return String(decoding: data, as: UTF8.self)
  }
}
