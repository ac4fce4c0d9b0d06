import Configuration
import ArgumentParser
import Training

/// `attune policy pretrain --config FILE.yaml [--output RUN] [key.path=value ...]`
struct PolicyPretrainCommand: ParsableCommand {
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
    try options.train(PolicyPretrainingJob(run))
  }
}
