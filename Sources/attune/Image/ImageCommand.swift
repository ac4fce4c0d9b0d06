import ArgumentParser
import Training

/// `attune image`: work with images.
struct ImageCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "image",
    abstract: "Train, improve and sample text-to-image models; make grids and videos.",
    discussion: """
      Example:
        attune image train --config samples/dolls/train.yaml data.path=dolls \\
          --output runs/dolls
        attune image sample --model runs/dolls/model --prompt "an elf" \\
          --output elves.png
      """,
    subcommands: [
      ImageTrainCommand.self, ImageFinetuneCommand.self, ImageSampleCommand.self,
      ImageEvaluateCommand.self, ImageGridCommand.self, ImageVideoCommand.self,
    ])
}

/// What is wrong with the images named, in a sentence.
struct ImageCommandError: Error, CustomStringConvertible {
  var description: String
}

/// `attune image train --config FILE.yaml [--output RUN] [key.path=value ...]`
struct ImageTrainCommand: RankedCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Train a text-to-image model on captioned images.",
    discussion: """
      The run folder gets checkpoints, metrics, TensorBoard events and sample grids, and the model \
      with averaged weights in model/, in the layout of diffusers. A model that the training starts \
      from (model.folder) may be given learned tokens by --embedding, and low-rank changes of its \
      weights by --lora; model/ has them too.

      Examples:
        attune image train --config samples/dolls/train.yaml data.path=dolls
        attune image train --config samples/dolls/train.yaml --output runs/dolls \\
          seed=1
        attune image train --resume runs/dolls
      """)

  @OptionGroup var added: AddedPartsOptions

  @OptionGroup var options: TrainingOptions

  func run() throws {
    var options = options
    options.overrides += added.overrides(in: "model")
    let run = try options.open(
      ImageTrainingSettings.self, command: "image train", named: "image-train")
    try options.train(run) { try ImageTrainingJob($0) }
  }
}

/// `attune image finetune --config FILE.yaml | --model DIR --prompt TEXT ... --reward NAME`
struct ImageFinetuneCommand: RankedCommand {
  static let configuration = CommandConfiguration(
    commandName: "finetune",
    abstract: "Fine-tune a model's weights with a reward of its images or clips (DDPO, DPOK).",
    discussion: """
      Policy gradients over all denoising steps; the model is of images, or of clips, whose grids \
      play in videos/. A reward is what attune reward score takes. The \
      run folder gets checkpoints, metrics and TensorBoard events, images/before.png and \
      images/after.png of the same fresh seeds, the improved model in model/, and, with \
      training.loraRank above 0, its low-rank changes in pytorch_lora_weights.safetensors, which \
      diffusers loads, and --lora of other commands.

      Examples:
        attune image finetune --config samples/dolls/finetune.yaml
        attune image finetune --model checkpoints/dolls \\
          --prompt "an elf in a red robe" --reward incompressibility \\
          --output runs/elf training.klCoefficient=0.01
        attune image finetune --resume runs/elf
      """)

  @OptionGroup var rewarded: RewardedModelOptions

  @OptionGroup var added: AddedPartsOptions

  @OptionGroup var options: TrainingOptions

  func run() throws {
    var options = options
    options.overrides += rewarded.overrides + added.overrides()
    let run = try options.open(
      ImageFineTuningSettings.self, command: "image finetune", named: "image-finetune",
      needsFile: rewarded.model == nil)
    try options.train(run) { try GenerativeModelKind.fineTuningJob($0) }
  }
}
