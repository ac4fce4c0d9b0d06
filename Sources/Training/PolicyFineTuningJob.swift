import DiffusionPolicies
import NeuralNetworks
import Runs

/// The settings of `attune policy finetune`.
public struct PolicyFineTuningSettings: RunConfiguration {
  /// Decides the critic's weights, starts, noise and minibatches.
  public var seed: UInt64 = 0
  /// The policy to start from.
  public var checkpoint = ""
  /// What the policy does otherwise than in pretraining.
  public var policy = PolicyChanges.defaults
  /// Parameters of the environment that differ from those of pretraining.
  public var environmentParameters: [String: String] = [:]
  /// `dppo` for diffusion policies, `ppo` for Gaussian ones; that of the checkpoint's kind if there is none.
  public var algorithm: String?
  /// How it is improved.
  public var training = DPPOConfiguration()
  /// How it is judged on the way, in the environment as it was in pretraining.
  public var evaluation = EvaluationSettings(interval: 10)
  /// Iterations between checkpoints.
  public var checkpointInterval = 5

  /// What may be changed when a run is resumed.
  public static let changeableOnResume = ChangeableSettings(keys: [
    "training.iterationCount", "training.policyLearningRate", "training.criticLearningRate",
    "training.etaLearningRate", "training.gradientNormLimit", "evaluation.interval",
    "evaluation.episodes", "evaluation.filmedEpisodes", "checkpointInterval",
  ])

  /// What holds where nothing else is set.
  public static let defaults = PolicyFineTuningSettings()

  /// Checks ranges.
  public func validate() throws {
    try checking("training") { try training.validate() }
    if checkpoint.isEmpty {
      throw ConfigurationError.badValue(
        key: "checkpoint", found: "nothing",
        expected: "the path of a pretrained policy (or give --checkpoint FILE)")
    }
    if checkpointInterval < 1 {
      throw ConfigurationError.badValue(
        key: "checkpointInterval", found: "\(checkpointInterval)", expected: "a number above 0")
    }
  }
}

/// What a policy does otherwise after pretraining, with the same weights.
public struct PolicyChanges: RunConfiguration {
  /// How chunks are denoised, `ddpm` or `ddim`; as in pretraining if there is none. DDIM's few
  /// steps cost a fraction of DDPM's, and each has more of the exploration to itself.
  public var sampler: DenoisingConfiguration.Sampler?
  /// The denoising steps of DDIM; as in pretraining if there are none.
  public var ddimStepCount: Int?
  /// The share of DDPM's noise that DDIM draws when the policy is judged; as in pretraining if
  /// there is none.
  public var ddimEta: Float?
  /// Ta: the actions that are executed before the next decision; as in pretraining if there are
  /// none.
  public var executedCount: Int?

  /// What holds where nothing else is set.
  public static let defaults = PolicyChanges()

  /// Makes them.
  ///
  /// - Throws: `SettingError` if the policy cannot be changed so.
  func apply(to policy: inout PolicyConfiguration) throws {
    if let sampler { policy.denoising.sampler = sampler }
    let limits = [
      ("policy.ddimStepCount", ddimStepCount, policy.denoising.stepCount),
      ("policy.executedCount", executedCount, policy.predictionCount),
    ]
    for (key, count, limit) in limits {
      guard let count else { continue }
      try SettingError.require((1...limit).contains(count), key, count, "1 to \(limit)")
    }
    if let ddimEta {
      try SettingError.require((0...1).contains(ddimEta), "policy.ddimEta", ddimEta, "0 to 1")
      policy.denoising.ddimEta = ddimEta
    }
    if let ddimStepCount { policy.denoising.ddimStepCount = ddimStepCount }
    if let executedCount { policy.executedCount = executedCount }
  }
}

/// The fine-tuning of a policy by reinforcement learning: iterations, evaluations and the best policy.
public struct PolicyFineTuningJob: TrainingJob {
  /// Where it is recorded.
  public let run: Run<PolicyFineTuningSettings>
  /// What learns.
  public let training: any PolicyTrainer
  /// The environment that policies are evaluated in.
  private let environment: EnvironmentConfiguration
  private var best: BestPolicy

  /// Reads the policy and starts the training, or goes on with it.
  ///
  /// - Parameters:
  ///   - run: where it is recorded.
  ///   - algorithms: those that the settings can name.
  /// - Throws: what reading a policy throws; `ConfigurationError` or `SettingError` for settings that
  ///   do not fit; `RunFolderError` if the policy is another than the run was started with.
  public init(
    _ run: Run<PolicyFineTuningSettings>, algorithms: PolicyAlgorithmRegistry = .standard
  ) throws {
    let settings = run.configuration
    run.log.takeEnvironmentWarnings()
    let checkpoint = try run.startPolicy
    var start = PolicyTrainingStart(
      checkpoint, configuration: settings.training, seed: settings.seed)
    start.checkpoint.configuration.environment.parameters.merge(settings.environmentParameters) {
      $1
    }
    if let resumed = run.resumed {
      // The policy's weights are the checkpoint's own, so that it can be used as a policy.
      var state = resumed.trainingState
      state.add(resumed.policyWeights, under: "weights")
      start.state = state
    }
    let training =
      try run.resumed == nil
      ? algorithms.trainer(start, algorithm: settings.algorithm)
      : settings.checking("training") {
        try algorithms.trainer(start, algorithm: settings.algorithm)
      }
    for note in training.notes { run.log.say(note.printable) }
    run.log.say(
      "\(training.policy.parameters.elementCount.counting("weight")) in "
        + "'\(checkpoint.configuration.environment.name)', run folder \(run.folder.path)")
    self.run = run
    self.training = training
    environment = checkpoint.configuration.environment
    best = BestPolicy(run.folder.path, resumed: run.resumed)
  }

  /// What learns.
  public var trainer: any Trainer { training }
  /// Iterations between checkpoints.
  public var checkpointInterval: Int { run.configuration.checkpointInterval }
  /// The setting that says how many iterations there are to be.
  public var iterationsKey: String { "training.iterationCount" }
  /// What it is all for.
  public var resultNoun: String { "policy" }
  /// Where that is.
  public var resultPaths: [String] { [best.path] }

  /// Looks at what there is before the first iteration.
  public mutating func begin() throws {
    guard run.configuration.evaluation.interval > 0 else { return }
    var record = MetricsRecord(iteration: 0, step: 0)
    try evaluate(&record)
    try run.write(record)
    film("before", policy)
  }

  /// Adds evaluations that are due to a line of metrics.
  public mutating func evaluate(into record: inout MetricsRecord, isLast: Bool) throws {
    guard run.configuration.evaluation.isDue(after: training.iteration, isLast: isLast) else {
      return
    }
    try evaluate(&record)
  }

  private mutating func evaluate(_ record: inout MetricsRecord) throws {
    let policy = policy
    let summary = try run.times.measure("evaluate") {
      try run.configuration.evaluation.evaluate(policy)
    }
    for (name, value) in summary.metrics { record[name] = value }
    run.log.say("iteration \(training.iteration.grouped): \(summary.words)")
    try best.offer(
      policy.withoutUnusedWeights, score: summary.score, iteration: training.iteration)
  }

  /// A few words for the line of progress.
  public func words(for record: MetricsRecord) -> String {
    let clipped = "clipped \(((record["clipFraction"] ?? 0) * 100).short)%"
    let episodes = training.finishedEpisodes
    guard !episodes.isEmpty else { return clipped }
    return EvaluationSummary(environment: "", episodes).words + ", " + clipped
  }

  /// Images and videos that show the present iteration.
  public var images: [String] {
    training.isFinished ? run.configuration.evaluation.videoPaths("after", of: run) : []
  }

  /// Draws them.
  public mutating func drawImages() throws { film("after", try PolicyCheckpoint(path: best.path)) }

  private func film(_ name: String, _ policy: PolicyCheckpoint) {
    run.times.measure("film") { run.configuration.evaluation.film(policy, name, of: run) }
  }

  /// As it is now, in the environment as it was in pretraining.
  private var policy: PolicyCheckpoint {
    var policy = training.checkpoint(origin: ["environmentSteps": "\(training.environmentSteps)"])
    policy.configuration.environment = environment
    return policy
  }

  /// Writes what the training is for, as it is now.
  public func writeResults() throws {
    try best.offer(unjudged: policy.withoutUnusedWeights, iteration: training.iteration)
  }

  /// All that is needed to go on from here.
  public func checkpoint() throws -> Checkpoint {
    var state = try training.trainingState()
    state.tensors = state.tensors.filter { !$0.key.hasPrefix("weights.") }
    var checkpoint = try Checkpoint(iteration: training.iteration, policy, state)
    best.store(in: &checkpoint)
    return checkpoint
  }
}

extension Run<PolicyFineTuningSettings> {
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
