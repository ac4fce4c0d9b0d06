import ArgumentParser
import DiffusionPolicies
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
        attune policy pretrain --config samples/hopper/pretrain.yaml training.batchSize=512
        attune policy pretrain --resume runs/push-t-20261122-183000
      """)

  @OptionGroup var options: TrainingOptions

  func run() throws {
    let run = try options.open(PretrainSettings.self, named: "pretrain")
    let settings = run.configuration
    let training = try Pretraining(
      policy: settings.policy, configuration: settings.training,
      demonstrations: settings.demonstrations, seed: settings.seed)
    if let resumed = run.resumed { try training.restore(resumed.trainingState) }
    run.log.say(
      "\(training.dataset.count.counting("chunk")), "
        + "\(training.parameterCount.counting("weight")), run folder \(run.folder.path)")
    var loop = PolicyPretrainLoop(run: run, training: training, isQuiet: options.quiet)
    try loop.train()
  }
}

/// Batches, reports, evaluations and checkpoints, until all batches are done or the user stops it.
private struct PolicyPretrainLoop {
  let run: Run<PretrainSettings>
  let training: Pretraining
  var book: BestPolicy
  let isQuiet: Bool

  init(run: Run<PretrainSettings>, training: Pretraining, isQuiet: Bool) {
    self.run = run
    self.training = training
    self.isQuiet = isQuiet
    book = BestPolicy(run.folder.path, resumed: run.resumed)
  }

  mutating func train() throws {
    let settings = run.configuration
    let total = settings.training.batchCount
    var progress = ProgressBar(
      "pretrain", total: total, alreadyDone: training.batchIndex, unit: "batch", isQuiet: isQuiet)
    Interruption.install()
    var losses: [Double] = []
    while training.batchIndex < total {
      let report = try run.times.measure("train") {
        try run.stoppingAtNonFinite(iteration: training.batchIndex + 1) { try training.step() }
      }
      losses.append(report.loss)
      let batch = training.batchIndex
      let isLast = batch == total
      guard isLast || batch.isMultiple(of: settings.reportInterval) else { continue }
      let mean = losses.reduce(0, +) / Double(losses.count)
      losses.removeAll()
      var record = MetricsRecord(iteration: batch, step: batch)
      record["loss"] = mean
      record["learningRate"] = report.learningRate
      record["gradientNorm"] = report.gradientNorm
      if settings.evaluation.isDue(after: batch, isLast: isLast) { try evaluate(&record) }
      try run.write(record)
      progress.update(batch, note: "loss \(mean.short)")
      let isInterrupted = Interruption.isRequested && !isLast
      if isLast || isInterrupted || batch.isMultiple(of: settings.checkpointInterval) {
        try save(batch)
      }
      if isInterrupted {
        run.sayInterrupted(after: batch, command: "attune policy pretrain")
        throw ExitCode.interrupted
      }
    }
    run.log.say(run.times.table)
    run.log.say("the policy is \(book.path)")
  }

  private mutating func evaluate(_ record: inout MetricsRecord) throws {
    let settings = run.configuration.evaluation
    let policy = training.checkpoint()
    let (loss, summary) = try run.times.measure("evaluate") {
      (try training.validationLoss(), try settings.evaluate(policy))
    }
    if let loss { record["validationLoss"] = loss }
    for (name, value) in summary.metrics { record[name] = value }
    run.log.say("batch \(training.batchIndex.grouped): \(summary.words)")
    try book.offer(policy, score: summary.score, iteration: training.batchIndex)
  }

  private func save(_ batch: Int) throws {
    let policy = training.checkpoint()
    if run.configuration.evaluation.interval == 0 { try policy.write(to: book.path) }
    var checkpoint = try Checkpoint(iteration: batch, policy, training.trainingState)
    book.store(in: &checkpoint)
    try run.save(checkpoint)
  }
}
