import ArgumentParser

/// `attune policy`: policies for robots.
struct PolicyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "policy",
    abstract: "Train, fine-tune and evaluate policies for robots.",
    discussion: """
      Example:
        attune policy pretrain --config samples/push-t/pretrain.yaml \\
          --output runs/push-t
        attune policy finetune --config samples/push-t/finetune.yaml \\
          --checkpoint runs/push-t/policy.safetensors --output runs/push-t-dppo
        attune policy evaluate --checkpoint runs/push-t-dppo/policy.safetensors \\
          --video t.mp4
      """,
    subcommands: [
      PolicyPretrainCommand.self, PolicyFinetuneCommand.self, PolicyEvaluateCommand.self,
      PolicyCollectCommand.self, PolicyImportCommand.self,
    ])
}
