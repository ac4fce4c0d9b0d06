import DiffusionPolicies
import Runs

/// What `attune policy pretrain` does: batches, lines of metrics, evaluations and the best policy.
struct PolicyPretrainWork: TrainingWork {
  let run: Run<PretrainSettings>
  let training: Pretraining
  private var best: BestPolicy
  private var window: MetricsWindow

  init(run: Run<PretrainSettings>, training: Pretraining) {
    self.run = run
    self.training = training
    best = BestPolicy(run.folder.path, resumed: run.resumed)
    window = MetricsWindow(resumed: run.resumed)
  }

  var iteration: Int { training.batchIndex }
  var iterationCount: Int { run.configuration.training.batchCount }
  var reportInterval: Int { run.configuration.reportInterval }
  var checkpointInterval: Int { run.configuration.checkpointInterval }
  var iterationCountKey: String { "training.batchCount" }
  var resultNoun: String { "policy" }
  var resultPaths: [String] { [best.path] }

  mutating func iterate() throws -> Pretraining.Report {
    let report = try run.times.measure("train") { try training.step() }
    window.add(["loss": report.loss])
    return report
  }

  mutating func write(_ report: Pretraining.Report, isLast: Bool) throws -> String {
    var record = MetricsRecord(iteration: iteration, step: iteration)
    window.flush(into: &record)
    record["learningRate"] = report.learningRate
    record["gradientNorm"] = report.gradientNorm
    if run.configuration.evaluation.isDue(after: iteration, isLast: isLast) {
      try evaluate(&record)
    }
    try run.write(record)
    return "loss \(record["loss"]?.short ?? "none")"
  }

  var images: [String] {
    iteration == iterationCount ? run.configuration.evaluation.videoPaths("after", of: run) : []
  }

  mutating func drawImages() throws {
    let policy = try PolicyCheckpoint(path: best.path)
    run.times.measure("film") { run.configuration.evaluation.film(policy, "after", of: run) }
  }

  private mutating func evaluate(_ record: inout MetricsRecord) throws {
    let settings = run.configuration.evaluation
    let policy = training.checkpoint()
    let (loss, summary) = try run.times.measure("evaluate") {
      (try training.validationLoss(), try settings.evaluate(policy))
    }
    if let loss { record["validationLoss"] = loss }
    for (name, value) in summary.metrics { record[name] = value }
    run.log.say("batch \(iteration.grouped): \(summary.words)")
    try best.offer(policy, score: summary.score, iteration: iteration)
  }

  func writeResults() throws {
    try best.offer(unjudged: training.checkpoint(), iteration: iteration)
  }

  func checkpoint() throws -> Checkpoint {
    var checkpoint = try Checkpoint(
      iteration: iteration, training.checkpoint(), training.trainingState)
    best.store(in: &checkpoint)
    window.store(in: &checkpoint)
    return checkpoint
  }
}
