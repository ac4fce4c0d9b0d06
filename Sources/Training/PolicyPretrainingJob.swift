import Configuration
import DiffusionPolicies
import Environments
import Files
import NeuralNetworks
import Runs
import Tensors

/// The settings of `attune policy pretrain`.
public struct PolicyPretrainingSettings: RunConfiguration {
  /// Decides weights, batches and noise; -1 for a random seed, which `config.yaml` tells.
  public var seed: UInt64 = 0
  /// The precision of matrix products: `highest` is in 32-bit floats, `high` near them, and `medium`
  /// in bfloat16; where the processor has no instructions for one, it is computed as `highest`.
  public var precision = Precision.highest
  /// What is learned.
  public var policy = PolicyConfiguration()
  /// What it is learned from.
  public var demonstrations = DemonstrationConfiguration()
  /// How it is learned.
  public var training = PretrainingConfiguration()
  /// How it is evaluated on the way; intervals are batches.
  public var evaluation = EvaluationSettings(interval: 5000)
  /// Batches between lines of metrics.
  @Setting(.positive) public var reportInterval = 100
  /// Batches between checkpoints, a multiple of `reportInterval`.
  @Setting(.positive) public var checkpointInterval = 1000

  /// The settings that a resumed run may change.
  public static let changeableOnResume = ChangeableSettings(
    keys: [
      "precision", "training.batchCount", "training.learningRate", "training.finalLearningRate",
      "training.gradientNormLimit", "evaluation.interval", "evaluation.episodes",
      "evaluation.videoEpisodes", "reportInterval", "checkpointInterval",
    ],
    paths: [
      "demonstrations.path", "demonstrations.morePaths", "demonstrations.normalization",
    ])

  /// The DPPO reference's names.
  public static let aliases = ReferenceNames.pretraining

  /// The defaults.
  public init() {}

  /// Checks settings that depend on one another.
  public func checkRelations() throws {
    try ConfigurationError.within("policy.environment", policy.environment.checkParameters)
    try ConfigurationError.within("demonstrations") {
      try demonstrations.check(horizonSteps: policy.horizonSteps)
    }
    try requireMultiples(
      of: ("reportInterval", reportInterval),
      ("checkpointInterval", checkpointInterval), ("evaluation.interval", evaluation.interval))
  }
}

/// The pretraining of a policy: batches, evaluations on the way and the best policy.
public struct PolicyPretrainingJob: TrainingJob {
  /// Where it is recorded.
  public let run: Run<PolicyPretrainingSettings>
  /// What learns.
  public let training: Pretraining
  private let evaluator: PretrainEvaluator
  private var best: BestPolicy

  /// Reads demonstrations and starts the training, or goes on with it.
  ///
  /// - Throws: what reading demonstrations throws; `ConfigurationError` for settings that do not
  ///   fit;
  ///   `RunFolderError` if demonstrations are others than those that the run was started with.
  public init(_ run: Run<PolicyPretrainingSettings>) throws {
    let settings = run.configuration
    try run.require(
      settings.demonstrations.inputs(
        hadMore: run.knowsInput(DemonstrationConfiguration.morePathsKey)))
    let training = try Pretraining(
      policy: settings.policy, configuration: settings.training,
      demonstrations: settings.demonstrations, seed: settings.seed,
      communicator: run.communicator)
    for note in training.notes { run.log.info(note.printable) }
    run.log.takeEnvironmentWarnings(folder: run.folder, rank: run.communicator.rank)
    evaluator = try settings.evaluator(training, log: run.log)
    let constants = training.normalization.actions.constants
    if !constants.isEmpty {
      run.log.info(
        "\(constants.count) of \(training.normalization.actions.size) actions never vary in the "
          + "demonstrations (\(constants.map(String.init).joined(separator: ", "))): the policy gives "
          + "the same")
    }
    if let resumed = run.resumed { try training.restore(resumed.trainingState) }
    run.log.info(
      "\(training.dataset.count.counting("chunk")), "
        + "\(training.parameterCount.counting("weight")), run folder \(run.folder.path)")
    self.run = run
    self.training = training
    best = BestPolicy(run.folder.path, resumed: run.resumed, isWriting: run.isWriting)
  }

  /// What learns.
  public var trainer: any Trainer { training }
  /// What an iteration is called.
  public var unit: String { "batch" }
  /// Iterations between lines of metrics.
  public var reportInterval: Int { run.configuration.reportInterval }
  /// Iterations between checkpoints.
  public var checkpointInterval: Int { run.configuration.checkpointInterval }
  /// The setting that states how many iterations there are to be.
  public var iterationsKey: String { "training.batchCount" }
  /// What it is all for.
  public var resultNoun: String { "policy" }
  /// Where the result is.
  public var resultPaths: [String] { [best.path] }

  /// Adds evaluations that are due to a line of metrics.
  public mutating func evaluate(into record: inout MetricsRecord, isLast: Bool) throws {
    guard evaluator.isDue(after: training.iteration, isLast: isLast) else { return }
    let policy = training.checkpoint()
    let result = try run.times.measure("evaluate") {
      try evaluator.evaluate(training, policy, over: run.communicator)
    }
    for (name, value) in result.metrics { record[name] = value }
    // At every line of metrics, the line of progress tells it.
    if run.configuration.evaluation.interval > 0, let words = result.words {
      run.log.info("batch \(training.iteration.grouped): \(words)")
    }
    guard let score = result.score else { return }
    try best.offer(policy, score: score.value, of: score.measure, iteration: training.iteration)
  }

  /// A few words of a line of metrics, for the line of progress.
  public func words(for record: MetricsRecord) -> String {
    let loss = "loss \(record["loss"]?.short ?? "none")"
    return record["validationLoss"].map { "\(loss), validation loss \($0.short)" } ?? loss
  }

  /// Images and videos that show the present iteration, by their paths.
  public var images: [String] {
    guard evaluator.hasEnvironment, training.isFinished else { return [] }
    return run.configuration.evaluation.videoPaths("after", of: run)
  }

  /// Draws them, after the iteration's checkpoint.
  public mutating func drawImages() throws {
    let policy = try PolicyCheckpoint(path: best.path)
    run.times.measure("video") { run.configuration.evaluation.video(policy, "after", of: run) }
  }

  /// Writes what the training is for, as it is now.
  public func writeResults() throws {
    try best.offer(unscored: training.checkpoint(), iteration: training.iteration)
  }

  /// All that is needed to continue from here.
  public func checkpoint() throws -> Checkpoint {
    var checkpoint = try Checkpoint(
      iteration: training.iteration, training.checkpoint(), training.trainingState())
    best.store(in: &checkpoint)
    return checkpoint
  }
}

extension DemonstrationConfiguration {
  fileprivate static let morePathsKey = "demonstrations.morePaths"

  /// What weights are learned from, and what gives actions their units.
  ///
  /// - Parameter hadMore: whether the run that goes on had more than one file.
  fileprivate func inputs(hadMore: Bool) throws(FileError) -> [RunInput] {
    let named = [("demonstrations.path", path), ("demonstrations.normalization", normalization)]
    var inputs: [RunInput] = []
    for (key, path) in named where !path.isEmpty {
      if let input = try RunInput(key: key, contentsOf: path) { inputs.append(input) }
    }
    guard hadMore || !morePaths.isEmpty else { return inputs }
    var fingerprints: [String] = []
    for path in morePaths {
      fingerprints.append(try ContentFingerprint.of(path) ?? "nothing")
    }
    inputs.append(
      RunInput(
        key: Self.morePathsKey,
        path: morePaths.isEmpty ? "none" : morePaths.joined(separator: ", "),
        fingerprint: morePaths.isEmpty ? "none" : fingerprints.joined(separator: ", ")))
    return inputs
  }
}

extension PolicyPretrainingSettings {
  /// What policies of this training are compared by; says what is left out, and finds out now, not
  /// at the first evaluation, that demonstrations are of another robot.
  fileprivate func evaluator(
    _ training: Pretraining, log: RunLog
  ) throws -> PretrainEvaluator {
    let evaluator = PretrainEvaluator(
      settings: evaluation, hasEnvironment: try hasEnvironment(training, log: log),
      hasValidation: training.validation != nil)
    if let note = evaluator.note { log.info(note) }
    return evaluator
  }

  /// Whether policies can be played. A robot that does not fit is refused where it was to be
  /// evaluated.
  private func hasEnvironment(_ training: Pretraining, log: RunLog) throws -> Bool {
    guard !policy.environment.isNone else { return false }
    do {
      try requireFit(training)
    } catch {
      guard evaluation.interval == 0 else { throw error }
      log.warn(
        "policies are not played, and there are no videos: \(error); for a robot that Attune does "
          + "not simulate, set policy.environment.name=none")
      return false
    }
    return true
  }

  private func requireFit(_ training: Pretraining) throws {
    do {
      _ = try PolicyEnvironment(
        policy, normalization: training.normalization, cameras: training.dataset.cameras)
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

/// When and by what the policies of a pretraining are evaluated: in their environment, by the loss
/// on held-out demonstrations, or both.
struct PretrainEvaluator {
  /// When, and how many episodes.
  let settings: EvaluationSettings
  /// Whether policies can be played.
  let hasEnvironment: Bool
  /// Whether demonstrations are held out.
  let hasValidation: Bool

  /// Whether policies are played on the way.
  var playsEpisodes: Bool { hasEnvironment && settings.interval > 0 }

  /// Whether it is time after a batch, of which there is a line of metrics. What was held out is
  /// evaluated even where no evaluation was asked for.
  func isDue(after batch: Int, isLast: Bool) -> Bool {
    settings.interval > 0 ? settings.isDue(after: batch, isLast: isLast) : hasValidation
  }

  /// What a user may not expect: how policies are compared that are not played, and what is not
  /// done.
  var note: String? {
    guard !playsEpisodes else { return nil }
    let missing =
      hasEnvironment
      ? "evaluation.interval is 0: no policy is played during training"
      : "no environment: no policy is played, and there are no videos"
    return hasValidation
      ? "\(missing); the best one is that of the minimum validation loss"
      : "\(missing); without demonstrations.validationFraction none is compared, and "
        + "policy.safetensors is the last one"
  }

  /// What an evaluation came to.
  struct Result {
    /// Nil without held-out demonstrations.
    let validationLoss: Double?
    /// Nil where no episodes are played.
    let summary: EvaluationSummary?

    /// The numbers for a run's metrics.
    var metrics: [String: Double] {
      var metrics = summary?.metrics ?? [:]
      metrics["validationLoss"] = validationLoss
      return metrics
    }

    /// By what policies are compared: episodes if there are some.
    var score: (value: Double, measure: BestPolicy.Measure)? {
      if let summary { return (summary.score, .evaluation) }
      return validationLoss.map { (-$0, .validationLoss) }
    }

    /// A few words for a line; nil if nothing was evaluated.
    var words: String? { summary?.words ?? validationLoss.map { "validation loss \($0.short)" } }
  }

  /// Evaluates the policy of a training as it stands.
  ///
  /// - Throws: what playing and loading weights throw.
  func evaluate(
    _ training: Pretraining, _ policy: PolicyCheckpoint,
    over communicator: any Communicator = SingleProcess()
  ) throws -> Result {
    Result(
      validationLoss: try training.validationLoss(),
      summary: playsEpisodes ? try settings.evaluate(policy, over: communicator) : nil)
  }
}
