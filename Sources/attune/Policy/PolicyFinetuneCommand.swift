import ArgumentParser
import DiffusionPolicies
import Runs

/// `attune policy finetune --config FILE.yaml [--checkpoint FILE] [--output RUN] [--resume RUN]`
struct PolicyFinetuneCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "finetune",
    abstract: "Improves a pretrained policy in its environment by DPPO.",
    discussion: """
      The run folder gets checkpoints, metrics and TensorBoard events, and policy.safetensors, the \
      best policy so far.

      Examples:
        attune policy finetune --config samples/push-t/finetune.yaml
        attune policy finetune --config samples/hopper/finetune.yaml \\
          --checkpoint checkpoints/hopper-pretrained.safetensors \\
          training.fineTunedCount=5
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
    let run = try options.open(FinetuneSettings.self, named: "finetune")
    let settings = run.configuration
    var start = try PolicyCheckpoint(path: settings.checkpoint)
    try settings.policy.apply(to: &start.configuration)
    var inTraining = start
    inTraining.configuration.environment.parameters.merge(settings.environmentParameters) { $1 }
    let training = try FineTuning(
      inTraining, configuration: settings.training, seed: settings.seed)
    if let resumed = run.resumed {
      try settings.checking("training") {
        try training.restore(resumed.policyWeights, resumed.trainingState)
      }
    }
    run.log.say(
      "\(training.policy.parameters.elementCount.counting("weight")) in "
        + "'\(start.configuration.environment.name)', run folder \(run.folder.path)")
    try TrainingLoop(command: "policy finetune", unit: "iteration", isQuiet: options.quiet)
      .train(
        PolicyFinetuneWork(
          run: run, training: training, environment: start.configuration.environment))
  }
}
