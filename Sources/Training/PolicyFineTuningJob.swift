import Configuration
import DiffusionPolicies
import Environments
import Files
import NeuralNetworks
import Runs
import Tensors

/// The settings of `attune policy finetune`.
public struct PolicyFineTuningSettings: RunConfiguration {
  /// Decides the critic's weights, starts, noise and minibatches; -1 for a random seed, which
  /// `config.yaml` tells.
  public var seed: UInt64 = 0
  /// The precision of matrix products: `highest` is in 32-bit floats, `high` near them, and `medium`
  /// in bfloat16; where the processor has no instructions for one, it is computed as `highest`.
  public var precision = Precision.highest
  /// The policy to start from.
  @Setting(.required("the path of a pretrained policy (or give --checkpoint FILE)"))
  public var checkpoint = ""
  /// What the policy does otherwise than in pretraining.
  public var policy = PolicyChanges()
  /// The environment; that of the checkpoint if there is none. One that is a program of this
  /// machine, as `gymnasium:Ant-v5`, must be named here.
  public var environment: String?
  /// Parameters of the environment that differ from those of pretraining.
  public var environmentParameters: [String: String] = [:]
  /// `dppo` for diffusion policies, `ppo` for Gaussian ones and mixtures; that of the checkpoint's
  /// kind if there is none. `dsrl` leaves a diffusion policy as it is and learns its initial noise, off
  /// policy.
  public var algorithm: String?
  /// How it is improved.
  public var training = DPPOConfiguration()
  /// How algorithms improve it that learn off policy. Of `training` they read `iterations`,
  /// `environments`, `rolloutSteps`, `resetsEachIteration`, `gamma` and `rewardFactor`.
  public var offPolicy = OffPolicyConfiguration()
  /// How it is evaluated on the way, in the environment as it was in pretraining.
  public var evaluation = EvaluationSettings(interval: 10)
  /// Iterations between checkpoints.
  @Setting(.positive) public var checkpointInterval = 5

  /// The settings that a resumed run may change.
  public static let changeableOnResume = ChangeableSettings(keys: [
    "precision", "training.iterations", "training.policyLearningRate",
    "training.criticLearningRate",
    "training.etaLearningRate", "training.gradientNormLimit", "offPolicy.criticLearningRate",
    "offPolicy.actorLearningRate", "offPolicy.gradientNormLimit", "evaluation.interval",
    "evaluation.episodes", "evaluation.videoEpisodes", "checkpointInterval",
  ])

  /// The DPPO reference's names.
  public static let aliases = ReferenceNames.fineTuning

  /// The defaults.
  public init() {}

  /// What is set is read by the algorithm.
  public func checkRelations() throws {
    let registry = PolicyAlgorithmRegistry.standard
    let chosen = registry.algorithms.first { $0.name == algorithm }
    for change in try SettingChange.between(Self(), self) where !registry.reads(change.key, chosen)
    {
      throw ConfigurationError.badValue(
        key: change.key, found: change.to,
        expected: "what it is by default, \(change.from): "
          + (algorithm.map { "algorithm '\($0)'" } ?? "the algorithm of the checkpoint's kind")
          + " does not read it")
    }
  }
}

/// What an encoder does otherwise after pretraining, with the same weights.
public struct EncoderChanges: Settings {
  /// Whether its weights are learned; as in pretraining if it is not said. An encoder that is not
  /// costs a fraction: images are encoded once, and what was made of them is kept instead.
  public var trained: Bool?
  /// Pixels by which images are shifted at random where `training.augmentsImages` says so; as in
  /// pretraining if there are none.
  @Setting(0...1024) public var shift: Int? = nil

  /// The defaults.
  public init() {}

  /// Makes them.
  func apply(to encoder: inout EncoderConfiguration) {
    if let trained { encoder.trained = trained }
    if let shift { encoder.shift = shift }
  }
}

/// What a policy does otherwise after pretraining, with the same weights.
public struct PolicyChanges: Settings {
  /// How chunks are denoised, `ddpm` or `ddim`; as in pretraining if there is none. DDIM's few
  /// steps cost a fraction of DDPM's, and each has more of the exploration to itself.
  public var sampler: DenoisingConfiguration.Sampler?
  /// The denoising steps of DDIM; as in pretraining if there are none.
  @Setting(1...10_000) public var ddimStepCount: Int? = nil
  /// The fraction of DDPM's noise that DDIM draws when the policy is evaluated; as in pretraining
  /// if there is none.
  @Setting(0...1) public var ddimEta: Float? = nil
  /// Ta: the actions that are executed before the next decision; as in pretraining if there are
  /// none.
  @Setting(1...1000) public var actionSteps: Int? = nil
  /// What reads the observations.
  public var encoder = EncoderChanges()

  /// The defaults.
  public init() {}

  /// Makes them.
  ///
  /// - Throws: `ConfigurationError` if the policy cannot be changed so.
  func apply(to policy: inout PolicyConfiguration) throws {
    if let sampler { policy.denoising.sampler = sampler }
    encoder.apply(to: &policy.encoder)
    let limits = [
      ("policy.ddimStepCount", ddimStepCount, policy.denoising.stepCount),
      ("policy.actionSteps", actionSteps, policy.horizonSteps),
    ]
    for (key, count, limit) in limits {
      guard let count else { continue }
      try ConfigurationError.require(count <= limit, key, count, "1 to \(limit)")
    }
    if let ddimEta { policy.denoising.ddimEta = ddimEta }
    if let ddimStepCount { policy.denoising.ddimStepCount = ddimStepCount }
    if let actionSteps { policy.actionSteps = actionSteps }
  }
}

/// The fine-tuning of a policy by reinforcement learning: iterations, evaluations and the best
/// policy.
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
  /// - Throws: what reading a policy throws; `ConfigurationError` for settings that
  ///   do not fit; `RunFolderError` if the policy is another than the run was started with.
  public init(
    _ run: Run<PolicyFineTuningSettings>, algorithms: PolicyAlgorithmRegistry = .standard
  ) throws {
    let settings = run.configuration
    run.log.takeEnvironmentWarnings(folder: run.folder, rank: run.communicator.rank)
    var checkpoint = try run.startPolicy
    if run.resumed == nil, let note = checkpoint.precisionNote {
      run.log.info("\(settings.checkpoint.printable) \(note)")
    }
    checkpoint.configuration.environment = try checkpoint.configuration.environment.chosen(
      settings.environment, by: "environment: NAME in the settings, or environment=NAME")
    if let python = settings.environmentParameters["python"] {
      // Evaluations play by the other rules of pretraining, but not in another Python.
      checkpoint.configuration.environment.parameters["python"] = python
    }
    var start = PolicyTrainingStart(
      checkpoint, configuration: settings.training, seed: settings.seed,
      communicator: run.communicator)
    start.checkpoint.configuration.environment.parameters.merge(settings.environmentParameters) {
      $1
    }
    start.offPolicy = settings.offPolicy
    if run.resumed == nil { start.base = try BasePolicyFile(contentsOf: settings.checkpoint) }
    if let demonstrations = settings.offPolicy.demonstrations {
      for path in demonstrations.paths {
        let input = try RunInput(key: "offPolicy.demonstrations.path", contentsOf: path)
        if let input { try run.require([input]) }
      }
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
      : ConfigurationError.within("training") {
        try algorithms.trainer(start, algorithm: settings.algorithm)
      }
    for note in training.notes { run.log.info(note.printable) }
    run.log.info(
      "\(training.policy.parameters.elementCount.counting("weight")) in "
        + "'\(checkpoint.configuration.environment.name)', run folder \(run.folder.path)")
    if let promise = start.checkpoint.configuration.environment.resumePromise(
      resetsEachIteration: settings.training.resetsEachIteration)
    {
      run.log.info(promise)
    }
    if checkpoint.qFunction != nil, training.checkpoint().qFunction == nil {
      run.log.info(
        "the checkpoint's Q function is left out: this algorithm does not keep it, and the policy executes "
          + "the one chunk that it draws")
    }
    if settings.evaluation.interval == 0 {
      run.log.info(
        "evaluation.interval is 0: no policy is evaluated, and policy.safetensors is the last one")
    }
    self.run = run
    self.training = training
    environment = checkpoint.configuration.environment
    best = BestPolicy(run.folder.path, resumed: run.resumed, isWriting: run.isWriting)
  }

  /// What learns.
  public var trainer: any Trainer { training }
  /// Iterations between checkpoints.
  public var checkpointInterval: Int { run.configuration.checkpointInterval }
  /// The setting that states how many iterations there are to be.
  public var iterationsKey: String { "training.iterations" }
  /// What it is all for.
  public var resultNoun: String { "policy" }
  /// Where the result is.
  public var resultPaths: [String] { [best.path] }

  /// Looks at what there is before the first iteration.
  public mutating func begin() throws {
    if run.configuration.evaluation.interval > 0 {
      var record = MetricsRecord(iteration: 0, step: 0)
      try evaluate(&record)
      try run.write(record)
    }
    video("before", policy)
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
      try run.configuration.evaluation.evaluate(policy, over: run.communicator)
    }
    for (name, value) in summary.metrics { record[name] = value }
    run.log.info("iteration \(training.iteration.grouped): \(summary.words)")
    try best.offer(
      policy.withoutUnusedWeights, score: summary.score, iteration: training.iteration)
  }

  /// A few words of a line of metrics, for the line of progress.
  public func words(for record: MetricsRecord) -> String {
    let update =
      record["clipFraction"].map { "clipped \(($0 * 100).short)%" }
      ?? record["qMean"].map { "mean Q \($0.short)" }
    let episodes = training.finishedEpisodes
    let played = episodes.isEmpty ? nil : EvaluationSummary(environment: "", episodes).words
    return [played, update].compactMap { $0 }.joined(separator: ", ")
  }

  /// Images and videos that show the present iteration, by their paths.
  public var images: [String] {
    training.isFinished ? run.configuration.evaluation.videoPaths("after", of: run) : []
  }

  /// Draws them, after the iteration's checkpoint.
  public mutating func drawImages() throws { video("after", try PolicyCheckpoint(path: best.path)) }

  private func video(_ name: String, _ policy: PolicyCheckpoint) {
    run.times.measure("video") { run.configuration.evaluation.video(policy, name, of: run) }
  }

  /// As it is now, in the environment as it was in pretraining.
  private var policy: PolicyCheckpoint {
    var policy = training.checkpoint(origin: ["environmentSteps": "\(training.environmentSteps)"])
    policy.configuration.environment = environment
    return policy
  }

  /// Writes what the training is for, as it is now.
  public func writeResults() throws {
    try best.offer(unscored: policy.withoutUnusedWeights, iteration: training.iteration)
  }

  /// All that is needed to continue from here.
  public func checkpoint() throws -> Checkpoint {
    var state = try training.trainingState()
    state.tensors = state.tensors.filter { !$0.key.hasPrefix("weights.") }
    var checkpoint = try Checkpoint(iteration: training.iteration, policy, state)
    best.store(in: &checkpoint)
    return checkpoint
  }
}

extension EnvironmentConfiguration {
  /// How exactly a run in an environment that is a program of this machine can be resumed; nil for
  /// one of Attune's, whose state is saved to the bit.
  func resumePromise(resetsEachIteration: Bool) -> String? {
    guard EnvironmentRegistry.standard.runsPrograms(name) else { return nil }
    if resetsEachIteration {
      return
        "resume: exact if '\(name)' honours its seeds, which 'attune environment check' tells: "
        + "every iteration begins with new episodes"
    }
    return parameters["vector"] == "true"
      ? "resume: the rows of a vector cannot be saved; a resumed run continues with new episodes, but "
        + "not bit for bit (training.resetsEachIteration=true does without running episodes)"
      : "resume: a running episode of '\(name)' is saved as its seed and actions unless it has "
        + "get_state and set_state, and refused if they lead elsewhere; "
        + "training.resetsEachIteration=true does without running episodes"
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
