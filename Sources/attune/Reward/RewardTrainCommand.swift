import ArgumentParser
import Rewards
import Runs

/// `attune reward train --config FILE.yaml [--kind clip|classifier] [--output RUN] [--resume RUN]`
struct RewardTrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Trains a CLIP model or an attribute classifier on paper dolls.",
    discussion: """
      The run folder gets checkpoints, metrics and TensorBoard events, and the folder model/: a \
      CLIPModel in the layout of transformers, or a classifier for evaluation.

      Examples:
        attune reward train --config samples/rewards/clip.yaml --output runs/clip
        attune reward train --config samples/rewards/classifier.yaml classifier.hiddenSize=128
        attune reward train --resume runs/clip
      """)

  @Option(help: "What to train, clip or classifier, in place of that of the settings.")
  var kind: String?

  @OptionGroup var options: TrainingOptions

  func run() throws {
    var options = options
    if let kind { options.overrides.append("kind=\(kind)") }
    let run = try options.open(RewardTrainSettings.self, named: "reward")
    let training = try run.configuration.makeTraining()
    if let resumed = run.resumed { try training.restore(resumed.rewardTrainingState) }
    run.log.say(
      "\(run.configuration.kind.rawValue) of \(training.parameterCount.counting("weight")), "
        + "run folder \(run.folder.path)")
    try RewardTrainLoop(run: run, training: training, isQuiet: options.quiet).train()
  }
}

/// Steps, reports, validations and checkpoints, until all steps are done or the user stops it.
private struct RewardTrainLoop {
  let run: Run<RewardTrainSettings>
  let training: any RewardTraining
  let isQuiet: Bool

  /// What is said of a validation; all of it is in the metrics.
  private static let headlines = [
    "retrievalAccuracy", "retrievalAccuracyHeldOut", "attributeAccuracy",
    "attributeAccuracyHeldOut", "pictureAccuracy",
  ]

  private var modelPath: String { "\(run.folder.path)/model" }

  func train() throws {
    let settings = run.configuration
    let total = settings.optimization.stepCount
    var progress = ProgressBar(
      "reward", total: total, alreadyDone: training.stepIndex, unit: "step", isQuiet: isQuiet)
    Interruption.install()
    var reports = try RewardReports(resumed: run.resumed)
    while training.stepIndex < total {
      reports.append(try run.times.measure("train") { try training.step() })
      let step = training.stepIndex
      let isLast = step == total
      if isLast || step.isMultiple(of: settings.reportInterval) {
        var record = MetricsRecord(iteration: step, step: step)
        reports.flush(into: &record)
        let interval = settings.validation.interval
        if isLast || interval > 0 && step.isMultiple(of: interval) { try validate(&record) }
        try run.write(record)
        progress.update(step, note: "loss \(record["loss"]?.short ?? "none")")
      }
      let isInterrupted = Interruption.isRequested && !isLast
      if isLast || isInterrupted || step.isMultiple(of: settings.checkpointInterval) {
        try training.write(folder: modelPath)
        var checkpoint = Checkpoint(iteration: step, training.state)
        try reports.store(in: &checkpoint)
        try run.save(checkpoint)
      }
      if isInterrupted {
        run.sayInterrupted(after: step, command: "attune reward train")
        throw ExitCode.interrupted
      }
    }
    run.log.say(run.times.table)
    run.log.say("the model is \(modelPath)")
  }

  private func validate(_ record: inout MetricsRecord) throws {
    let metrics = try run.times.measure("validate") { try training.validationMetrics() }
    for (name, value) in metrics { record[name] = value }
    let words = metrics.filter { Self.headlines.contains($0.key) }
      .sorted { $0.key < $1.key }
      .map { "\($0.key) \(($0.value * 100).short)%" }
    run.log.say("step \(training.stepIndex.grouped): \(words.joined(separator: ", "))")
  }
}

extension Checkpoint {
  private static let numberPrefix = "training.number."

  /// The checkpoint of a judge's training.
  init(iteration: Int, _ state: RewardTrainingState) {
    self.init(iteration: iteration)
    add(state.tensors)
    for (name, number) in state.numbers { metadata[Self.numberPrefix + name] = String(number) }
  }

  /// The state that was saved so.
  var rewardTrainingState: RewardTrainingState {
    var numbers: [String: Int] = [:]
    for (key, text) in metadata where key.hasPrefix(Self.numberPrefix) {
      numbers[String(key.dropFirst(Self.numberPrefix.count))] = Int(text)
    }
    return RewardTrainingState(tensors: tensors(prefix: ""), numbers: numbers)
  }
}
