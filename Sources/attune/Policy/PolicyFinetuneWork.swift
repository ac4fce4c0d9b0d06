import DiffusionPolicies
import Runs

/// What `attune policy finetune` does: iterations of DPPO, evaluations and the best policy.
struct PolicyFinetuneWork: TrainingWork {
  let run: Run<FinetuneSettings>
  let training: FineTuning
  /// The environment that policies are judged in.
  let environment: EnvironmentConfiguration
  private var best: BestPolicy

  init(
    run: Run<FinetuneSettings>, training: FineTuning, environment: EnvironmentConfiguration
  ) {
    self.run = run
    self.training = training
    self.environment = environment
    best = BestPolicy(run.folder.path, resumed: run.resumed)
  }

  var iteration: Int { training.iteration }
  var iterationCount: Int { run.configuration.training.iterationCount }
  var reportInterval: Int { 1 }
  var checkpointInterval: Int { run.configuration.checkpointInterval }
  var iterationCountKey: String { "training.iterationCount" }
  var resultNoun: String { "policy" }
  var resultPaths: [String] { [best.path] }

  mutating func begin() throws {
    guard run.configuration.evaluation.interval > 0 else { return }
    var record = MetricsRecord(iteration: 0, step: 0)
    try evaluate(&record)
    try run.write(record)
    film("before", policy)
  }

  mutating func iterate() throws -> IterationReport {
    let report = try training.iterate()
    run.times.add(.seconds(report.times.simulation), to: "simulate")
    run.times.add(.seconds(report.times.sampling), to: "sample")
    run.times.add(.seconds(report.times.update), to: "update")
    return report
  }

  mutating func write(_ report: IterationReport, isLast: Bool) throws -> String {
    var record = report.metrics
    if run.configuration.evaluation.isDue(after: iteration, isLast: isLast) {
      try evaluate(&record)
    }
    try run.write(
      record,
      times: [
        "secondsSimulating": report.times.simulation, "secondsSampling": report.times.sampling,
        "secondsUpdating": report.times.update,
      ])
    return report.words
  }

  var images: [String] {
    iteration == iterationCount ? run.configuration.evaluation.videoPaths("after", of: run) : []
  }

  mutating func drawImages() throws { film("after", try PolicyCheckpoint(path: best.path)) }

  private func film(_ name: String, _ policy: PolicyCheckpoint) {
    run.times.measure("film") { run.configuration.evaluation.film(policy, name, of: run) }
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
    run.log.say("iteration \(iteration.grouped): \(summary.words)")
    try best.offer(policy.withoutUnusedWeights, score: summary.score, iteration: iteration)
  }

  func writeResults() throws {
    try best.offer(unjudged: policy.withoutUnusedWeights, iteration: iteration)
  }

  func checkpoint() throws -> Checkpoint {
    var checkpoint = try Checkpoint(iteration: iteration, policy, try training.trainingState())
    best.store(in: &checkpoint)
    return checkpoint
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
