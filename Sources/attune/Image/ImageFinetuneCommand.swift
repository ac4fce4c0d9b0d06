import ArgumentParser
import Training

/// `attune image finetune --config FILE.yaml | --model DIR --prompt TEXT ... --reward NAME`
struct ImageFinetuneCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "finetune",
    abstract: "Fine-tune a text-to-image model's weights with a reward of its images (DDPO, DPOK).",
    discussion: """
      Policy gradients over all denoising steps. A reward is what attune reward score takes. The \
      run folder gets checkpoints, metrics and TensorBoard events, images/before.png and \
      images/after.png of the same fresh seeds, the improved model in model/, and, with \
      training.loraRank above 0, its low-rank changes in pytorch_lora_weights.safetensors, which \
      diffusers loads.

      Examples:
        attune image finetune --config samples/dolls/finetune.yaml
        attune image finetune --model checkpoints/dolls \\
          --prompt "an elf in a red robe" --reward incompressibility \\
          --output runs/elf training.klCoefficient=0.01
        attune image finetune --resume runs/elf
      """)

  @OptionGroup var rewarded: RewardedModelOptions

  @OptionGroup var options: TrainingOptions

  func run() throws {
    var options = options
    options.overrides += rewarded.overrides
    let run = try options.open(
      ImageFineTuningSettings.self, command: "image finetune", named: "image-finetune",
      needsFile: rewarded.model == nil)
    try options.train(ImageFineTuningJob(run))
  }
}
