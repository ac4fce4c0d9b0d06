import ArgumentParser
import Configuration
import Training

/// `attune policy`: policies for robots.
struct PolicyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "policy",
    abstract: "Train, fine-tune, evaluate, serve and export policies for robots.",
    discussion: """
      Example:
        attune policy pretrain --config samples/push-t/pretrain.yaml \\
          --output runs/push-t
        attune policy finetune --config samples/push-t/finetune.yaml \\
          --checkpoint runs/push-t/policy.safetensors --output runs/push-t-dppo
        attune policy evaluate --checkpoint runs/push-t-dppo/policy.safetensors \\
          --video t.mp4
        attune policy serve --checkpoint runs/push-t-dppo/policy.safetensors
      """,
    subcommands: [
      PolicyPretrainCommand.self, PolicyFinetuneCommand.self, PolicyEvaluateCommand.self,
      PolicyServeCommand.self, PolicyExportCommand.self, PolicyCollectCommand.self,
      PolicyConvertCommand.self, PolicyImportCommand.self,
    ])
}

/// `attune policy pretrain --config FILE.yaml [--output RUN] [key.path=value ...]`
struct PolicyPretrainCommand: RankedCommand {
  static let configuration = CommandConfiguration(
    commandName: "pretrain",
    abstract: "Pretrain a policy on demonstrations.",
    discussion: """
      The run folder gets checkpoints, metrics and TensorBoard events, and policy.safetensors, the \
      best policy so far.

      Examples:
        attune policy pretrain --config samples/push-t/pretrain.yaml
        attune policy pretrain --config samples/hopper/pretrain.yaml \\
          training.batchSize=512
        attune policy pretrain --resume runs/push-t-20261122-183000
      """)

  @OptionGroup var options: TrainingOptions

  func run() throws {
    let run = try options.open(
      PolicyPretrainingSettings.self, command: "policy pretrain", named: "pretrain")
    try options.train(run) { try PolicyPretrainingJob($0) }
  }
}

/// `attune policy finetune --config FILE.yaml [--checkpoint FILE] [--output RUN] [--resume RUN]`
struct PolicyFinetuneCommand: RankedCommand {
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
    try options.train(run) { try PolicyFineTuningJob($0) }
  }
}
