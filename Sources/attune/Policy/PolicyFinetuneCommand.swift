import ArgumentParser
import Training

/// `attune policy finetune --config FILE.yaml [--checkpoint FILE] [--output RUN] [--resume RUN]`
struct PolicyFinetuneCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "finetune",
    abstract: "Fine-tune a pretrained policy in its environment with DPPO.",
    discussion: """
      The run folder gets checkpoints, metrics and TensorBoard events, and policy.safetensors, the \
      best policy so far.

      Examples:
        attune policy finetune --config samples/push-t/finetune.yaml
        attune policy finetune --config samples/hopper/finetune.yaml \\
          --checkpoint checkpoints/hopper-pretrained.safetensors \\
          training.fineTunedSteps=5
        attune policy finetune --resume runs/finetune-20261122-183000
      """)

  @Option(
    help: "The pretrained policy, in place of that of the settings.",
    completion: .file(extensions: ["safetensors"]))
  var checkpoint: String?

  @OptionGroup var options: TrainingOptions

  func run() throws {
    var options = options
    if let checkpoint { options.overrides.append(override("checkpoint", text: checkpoint)) }
    let run = try options.open(
      PolicyFineTuningSettings.self, command: "policy finetune", named: "finetune")
    try options.train(PolicyFineTuningJob(run))
  }
}
