import DiffusionPolicies
import Runs

/// What `attune policy pretrain` does: batches, lines of metrics, evaluations and the best policy.
struct PolicyPretrainWork: TrainingWork {
  let run: Run<PretrainSettings>
  let training: Pretraining
  let evaluator: PretrainEvaluator
  private var best: BestPolicy
  private var window: MetricsWindow

  init(run: Run<PretrainSettings>, training: Pretraining, evaluator: PretrainEvaluator) {
    self.run = run
    self.training = training
    self.evaluator = evaluator
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
    if evaluator.isDue(after: iteration, isLast: isLast) { try evaluate(&record) }
    try run.write(record)
    let loss = "loss \(record["loss"]?.short ?? "none")"
    return record["validationLoss"].map { "\(loss), validation loss \($0.short)" } ?? loss
  }

  var images: [String] {
    guard evaluator.hasEnvironment, iteration == iterationCount else { return [] }
    return run.configuration.evaluation.videoPaths("after", of: run)
  }

  mutating func drawImages() throws {
    let policy = try PolicyCheckpoint(path: best.path)
    run.times.measure("film") { run.configuration.evaluation.film(policy, "after", of: run) }
  }

  private mutating func evaluate(_ record: inout MetricsRecord) throws {
    let policy = training.checkpoint()
    let result = try run.times.measure("evaluate") { try evaluator.evaluate(training, policy) }
    for (name, value) in result.metrics { record[name] = value }
    // At every line of metrics, the line of progress tells it.
    if run.configuration.evaluation.interval > 0, let words = result.words {
      run.log.say("batch \(iteration.grouped): \(words)")
    }
    guard let score = result.score else { return }
    try best.offer(policy, score: score.value, of: score.measure, iteration: iteration)
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
