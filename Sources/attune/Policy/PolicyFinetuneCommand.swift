import ArgumentParser
import DiffusionPolicies
import Files
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
    let run = try options.open(FinetuneSettings.self, command: "policy finetune", named: "finetune")
    let settings = run.configuration
    run.log.takeEnvironmentWarnings()
    let start = try run.startPolicy
    var inTraining = start
    inTraining.configuration.environment.parameters.merge(settings.environmentParameters) { $1 }
    let training: FineTuning
    if let resumed = run.resumed {
      training = try settings.checking("training") {
        try FineTuning(
          resuming: inTraining, resumed.trainingState, configuration: settings.training,
          seed: settings.seed)
      }
    } else {
      training = try FineTuning(
        inTraining, configuration: settings.training, seed: settings.seed)
    }
    for note in training.notes { run.log.say(note.printable) }
    run.log.say(
      "\(training.policy.parameters.elementCount.counting("weight")) in "
        + "'\(start.configuration.environment.name)', run folder \(run.folder.path)")
    try TrainingLoop(unit: "iteration", isQuiet: options.quiet)
      .train(
        PolicyFinetuneWork(
          run: run, training: training, environment: start.configuration.environment))
  }
}

extension Run<FinetuneSettings> {
  /// The policy that the training starts from, or goes on with: a checkpoint holds all of it, so
  /// that what the run was started with may have moved or gone.
  fileprivate var startPolicy: PolicyCheckpoint {
    get throws {
      if let resumed {
        return try PolicyCheckpoint(
          path: folder.path, weights: resumed.policyWeights, metadata: resumed.metadata)
      }
      let path = configuration.checkpoint
      if let input = try RunInput(key: "checkpoint", contentsOf: path) { try require([input]) }
      var policy = try PolicyCheckpoint(path: path)
      try configuration.policy.apply(to: &policy.configuration)
      return policy
    }
  }
}
