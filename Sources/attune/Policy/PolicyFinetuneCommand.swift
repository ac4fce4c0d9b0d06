import ArgumentParser
import DiffusionPolicies
import Environments
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
          --checkpoint checkpoints/hopper-pretrained.safetensors training.fineTunedCount=5
        attune policy finetune --resume runs/finetune-20261122-183000
      """)

  @Option(help: "The pretrained policy, in place of that of the settings.")
  var checkpoint: String?

  @OptionGroup var options: TrainingOptions

  func run() throws {
    var options = options
    if let checkpoint { options.overrides.append("checkpoint=\"\(checkpoint)\"") }
    let run = try options.open(FinetuneSettings.self, named: "finetune")
    let settings = run.configuration
    let start = try PolicyCheckpoint(path: settings.checkpoint)
    var inTraining = start
    inTraining.configuration.environment.parameters.merge(settings.environmentParameters) { $1 }
    let training = try FineTuning(
      inTraining, configuration: settings.training, seed: settings.seed)
    if let resumed = run.resumed {
      try training.restore(resumed.policyWeights, resumed.trainingState)
    }
    run.log.say(
      "\(training.policy.parameters.elementCount.counting("weight")) in "
        + "'\(start.configuration.environment.name)', run folder \(run.folder.path)")
    var loop = PolicyFinetuneLoop(
      run: run, training: training, environment: start.configuration.environment,
      isQuiet: options.quiet)
    try loop.train()
  }
}

/// Iterations, evaluations and checkpoints, until all are done or the user stops it.
private struct PolicyFinetuneLoop {
  let run: Run<FinetuneSettings>
  let training: FineTuning
  /// The environment that policies are judged in.
  let environment: EnvironmentConfiguration
  var book: BestPolicy
  let isQuiet: Bool

  init(
    run: Run<FinetuneSettings>, training: FineTuning, environment: EnvironmentConfiguration,
    isQuiet: Bool
  ) {
    self.run = run
    self.training = training
    self.environment = environment
    self.isQuiet = isQuiet
    book = BestPolicy(run.folder.path, resumed: run.resumed)
  }

  mutating func train() throws {
    let settings = run.configuration
    var progress = ProgressBar(
      "finetune", total: settings.training.iterationCount, alreadyDone: training.iteration,
      unit: "iteration", isQuiet: isQuiet)
    Interruption.install()
    if training.iteration == 0, settings.evaluation.interval > 0 {
      var record = MetricsRecord(iteration: 0, step: 0)
      try evaluate(&record)
    }
    while !training.isFinished {
      let report = try run.stoppingAtNonFinite(iteration: training.iteration + 1) {
        try training.iterate()
      }
      run.times.add(.seconds(report.times.simulation), to: "simulate")
      run.times.add(.seconds(report.times.sampling), to: "sample")
      run.times.add(.seconds(report.times.update), to: "update")
      var record = report.metrics
      let isLast = training.isFinished
      if settings.evaluation.isDue(after: report.iteration, isLast: isLast) {
        try evaluate(&record)
      }
      try run.write(
        record,
        times: [
          "secondsSimulating": report.times.simulation, "secondsSampling": report.times.sampling,
          "secondsUpdating": report.times.update,
        ])
      progress.update(report.iteration, note: report.words)
      let isInterrupted = Interruption.isRequested && !isLast
      if isLast || isInterrupted || report.iteration.isMultiple(of: settings.checkpointInterval) {
        try save()
      }
      if isInterrupted {
        run.sayInterrupted(after: report.iteration, command: "attune policy finetune")
        throw ExitCode.interrupted
      }
    }
    run.log.say(run.times.table)
    run.log.say("the policy is \(book.path)")
  }

  private var policy: PolicyCheckpoint {
    var policy = training.checkpoint(origin: ["environmentSteps": "\(training.environmentSteps)"])
    policy.configuration.environment = environment
    return policy
  }

  private mutating func evaluate(_ record: inout MetricsRecord) throws {
    let policy = policy
    let summary = try run.times.measure("evaluate") {
      try run.configuration.evaluation.evaluate(policy)
    }
    for (name, value) in summary.metrics { record[name] = value }
    run.log.say("iteration \(training.iteration.grouped): \(summary.words)")
    try book.offer(policy, score: summary.score, iteration: training.iteration)
  }

  private func save() throws {
    let policy = policy
    if run.configuration.evaluation.interval == 0 { try policy.write(to: book.path) }
    var checkpoint = try Checkpoint(
      iteration: training.iteration, policy, try training.trainingState())
    book.store(in: &checkpoint)
    try run.save(checkpoint)
  }
}

extension IterationReport {
  /// The numbers for a run's metrics; none depends on the clock.
  fileprivate var metrics: MetricsRecord {
    var record = MetricsRecord(iteration: iteration, step: environmentSteps)
    record["policyLoss"] = losses.policy
    record["valueLoss"] = losses.value
    record["entropy"] = losses.entropy
    record["cloningLoss"] = losses.cloning
    record["approximateKL"] = losses.divergence
    record["greatestApproximateKL"] = losses.greatestDivergence
    record["clipFraction"] = losses.clipFraction
    record["ratio"] = losses.ratio
    record["policyGradientNorm"] = losses.policyGradientNorm
    record["criticGradientNorm"] = losses.criticGradientNorm
    record["minibatches"] = Double(losses.minibatchCount)
    record["explainedVariance"] = explainedVariance ?? .nan
    record["rewardScale"] = rewardScale
    record["fineTunedSteps"] = Double(fineTunedCount)
    record["policyLearningRate"] = policyLearningRate
    record["criticLearningRate"] = criticLearningRate
    record["episodes"] = Double(episodes.count)
    if !episodes.isEmpty {
      let summary = EvaluationSummary(environment: "", episodes)
      record["episodeReturn"] = summary.meanReturn
      record["episodeBestReward"] = summary.bestRewardMean
      record["episodeLength"] = summary.meanLength
      if let rate = summary.successRate { record["episodeSuccessRate"] = rate }
    }
    return record
  }

  /// A few words for the progress line.
  fileprivate var words: String {
    let clipped = "clipped \((losses.clipFraction * 100).short)%"
    guard !episodes.isEmpty else { return clipped }
    return EvaluationSummary(environment: "", episodes).words + ", " + clipped
  }
}
