import ArgumentParser
import DiffusionPolicies
import Environments
import Files
import Runs

/// `attune policy pretrain --config FILE.yaml [--output RUN] [key.path=value ...]`
struct PolicyPretrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pretrain",
    abstract: "Trains a diffusion policy on demonstrations.",
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
    let run = try options.open(PretrainSettings.self, command: "policy pretrain", named: "pretrain")
    let settings = run.configuration
    try run.require(settings.demonstrations.inputs)
    let training = try Pretraining(
      policy: settings.policy, configuration: settings.training,
      demonstrations: settings.demonstrations, seed: settings.seed)
    for note in training.notes { run.log.say(note.printable) }
    run.log.takeEnvironmentWarnings()
    let evaluator = try settings.evaluator(training, log: run.log)
    let constants = training.normalization.actions.constants
    if !constants.isEmpty {
      run.log.say(
        "\(constants.count) of \(training.normalization.actions.size) actions never vary in the "
          + "demonstrations (\(constants.map(String.init).joined(separator: ", "))): the policy gives "
          + "the same")
    }
    if let resumed = run.resumed { try training.restore(resumed.trainingState) }
    run.log.say(
      "\(training.dataset.count.counting("chunk")), "
        + "\(training.parameterCount.counting("weight")), run folder \(run.folder.path)")
    try TrainingLoop(unit: "batch", isQuiet: options.quiet)
      .train(PolicyPretrainWork(run: run, training: training, evaluator: evaluator))
  }
}

extension DemonstrationConfiguration {
  /// What weights are learned from, and what gives actions their units.
  fileprivate var inputs: [RunInput] {
    get throws {
      let paths = [("demonstrations.path", path), ("demonstrations.normalization", normalization)]
      return try paths.compactMap { key, path in
        path.isEmpty ? nil : try RunInput(key: key, contentsOf: path)
      }
    }
  }
}

extension PretrainSettings {
  /// What policies of this training are compared by; says what is left out, and finds out now, not
  /// at the first evaluation, that demonstrations are of another robot.
  fileprivate func evaluator(
    _ training: Pretraining, log: RunLog
  ) throws -> PretrainEvaluator {
    let evaluator = PretrainEvaluator(
      settings: evaluation, hasEnvironment: try hasEnvironment(training.normalization, log: log),
      hasValidation: training.validation != nil)
    if let note = evaluator.note { log.say(note) }
    return evaluator
  }

  /// Whether policies can be played. A robot that does not fit is refused where it was to be
  /// evaluated.
  private func hasEnvironment(
    _ normalization: DemonstrationNormalization, log: RunLog
  ) throws -> Bool {
    guard !policy.environment.isNone else { return false }
    do {
      try requireFit(normalization)
    } catch {
      guard evaluation.interval == 0 else { throw error }
      log.warn(
        "policies are not played, and there are no videos: \(error); for a robot that Attune does "
          + "not simulate, set policy.environment.name=none")
      return false
    }
    return true
  }

  private func requireFit(_ normalization: DemonstrationNormalization) throws {
    do {
      _ = try PolicyEnvironment(policy, normalization: normalization)
    } catch EnvironmentError.unknownEnvironment(let name, let nearest, let known) {
      throw ConfigurationError.badValue(
        key: "policy.environment.name", found: "'\(name)'",
        expected: (nearest.map { "'\($0)'" } ?? "one of \(known.joined(separator: ", "))")
          + ", or none for a robot that Attune does not simulate")
    } catch PolicyError.sizes(
      let environment, let observation, let action, let statesFound, let actionsFound)
    {
      throw ConfigurationError.badValue(
        key: "demonstrations.path",
        found: "steps of \(statesFound) observations and \(actionsFound) actions",
        expected: "those of '\(environment)', \(observation) and \(action), or "
          + "policy.environment.name=none")
    }
  }
}
