import NeuralNetworks
import Rewards
import Runs

/// What `attune reward train` does: steps, lines of metrics, validations and the model folder.
struct RewardTrainWork: TrainingWork {
  let run: Run<RewardTrainSettings>
  let training: any RewardTraining
  private var window: MetricsWindow

  init(run: Run<RewardTrainSettings>, training: any RewardTraining) {
    self.run = run
    self.training = training
    window = MetricsWindow(resumed: run.resumed)
  }

  /// What is said of a validation; all of it is in the metrics.
  private static let headlines = [
    "retrievalAccuracy", "itemAccuracy", "retrievalAccuracyHeldOut", "attributeAccuracy",
    "attributeAccuracyHeldOut", "pictureAccuracy",
  ]

  var iteration: Int { training.stepIndex }
  var iterationCount: Int { run.configuration.optimization.stepCount }
  var reportInterval: Int { run.configuration.reportInterval }
  var checkpointInterval: Int { run.configuration.checkpointInterval }
  var iterationCountKey: String { "\(run.configuration.kind.rawValue).optimization.stepCount" }
  var resultNoun: String { "model" }
  var resultPaths: [String] { [modelFolder] }
  private var modelFolder: String { "\(run.folder.path)/model" }

  mutating func iterate() throws -> RewardTrainingReport {
    let report = try run.times.measure("train") { try training.step() }
    window.add([
      "loss": report.loss, "accuracy": report.accuracy, "gradientNorm": report.gradientNorm,
    ])
    return report
  }

  mutating func write(_ report: RewardTrainingReport, isLast: Bool) throws -> String {
    var record = MetricsRecord(iteration: iteration, step: iteration)
    window.flush(into: &record)
    record["learningRate"] = report.learningRate
    let interval = run.configuration.validation.interval
    if isLast || interval > 0 && iteration.isMultiple(of: interval) { try validate(&record) }
    try run.write(record)
    return "loss \(record["loss"]?.short ?? "none")"
  }

  private func validate(_ record: inout MetricsRecord) throws {
    let metrics = try run.times.measure("validate") { try training.validationMetrics() }
    for (name, value) in metrics { record[name] = value }
    let words = metrics.filter { Self.headlines.contains($0.key) }
      .sorted { $0.key < $1.key }
      .map { "\($0.key) \(($0.value * 100).short)%" }
    run.log.say("step \(iteration.grouped): \(words.joined(separator: ", "))")
  }

  func writeResults() throws {
    try training.write(
      folder: modelFolder, elementType: run.configuration.weightType.elementType)
  }

  func checkpoint() throws -> Checkpoint {
    var checkpoint = Checkpoint(iteration: iteration)
    checkpoint.add(training.state)
    window.store(in: &checkpoint)
    return checkpoint
  }
}

extension Checkpoint {
  /// The state of a judge's training, also of runs whose tensors had no prefix yet.
  var rewardTrainingState: TrainingState {
    var state = trainingState
    if state.tensors.isEmpty { state.tensors = tensors(prefix: "") }
    return state
  }
}
