import Foundation
import Media
import Runs
import TextToImage

/// What `attune image train` does: batches, lines of metrics, grids and the model folder.
struct ImageTrainWork: TrainingWork {
  let run: Run<ImageTrainSettings>
  let training: ImageTraining
  let prompts: [String]
  private var window: MetricsWindow
  /// The last line of metrics, for the time of a batch.
  private var lastLine: (clock: ContinuousClock.Instant, batch: Int)

  init(run: Run<ImageTrainSettings>, training: ImageTraining, prompts: [String]) {
    self.run = run
    self.training = training
    self.prompts = prompts
    window = MetricsWindow(resumed: run.resumed)
    lastLine = (.now, training.batchIndex)
  }

  var iteration: Int { training.batchIndex }
  var iterationCount: Int { run.configuration.training.batchCount }
  var reportInterval: Int { run.configuration.reportInterval }
  var checkpointInterval: Int { run.configuration.checkpointInterval }
  var iterationCountKey: String { "training.batchCount" }
  var resultNoun: String { "model" }
  var resultPaths: [String] { [modelFolder] }
  private var modelFolder: String { "\(run.folder.path)/model" }

  mutating func iterate() throws -> ImageTraining.Report {
    let report = try run.times.measure("train") { try training.step() }
    window.add(["loss": report.loss])
    return report
  }

  mutating func write(_ report: ImageTraining.Report, isLast: Bool) throws -> String {
    var record = MetricsRecord(iteration: iteration, step: iteration)
    window.flush(into: &record)
    record["learningRate"] = report.learningRate
    record["gradientNorm"] = report.gradientNorm
    let seconds = (ContinuousClock.now - lastLine.clock) / .seconds(1)
    try run.write(
      record, times: ["secondsPerBatch": seconds / Double(iteration - lastLine.batch)])
    lastLine = (.now, iteration)
    return "loss \(record["loss"]?.short ?? "none")"
  }

  func check() throws {
    let source = training.source
    try run.configuration.samples.check(
      training.model, width: source.width, height: source.height)
  }

  var images: [String] {
    let isLast = iteration == iterationCount
    guard run.configuration.samples.isDue(after: iteration, isLast: isLast) else { return [] }
    return [run.imagePath("samples", iteration: iteration)]
  }

  func drawImages() throws {
    let source = training.source
    let grid = try run.times.measure("sample") {
      try training.withAveragedWeights {
        try run.configuration.samples.draw(
          $0, prompts: prompts, width: source.width, height: source.height)
      }
    }
    try run.write(
      png: Data(grid.rendered().pngBytes()), name: "samples", iteration: training.batchIndex)
  }

  func checkpoint() throws -> Checkpoint {
    var checkpoint = Checkpoint(iteration: training.batchIndex)
    checkpoint.add(training.trainingState)
    window.store(in: &checkpoint)
    return checkpoint
  }

  func writeResults() throws {
    let elementType = run.configuration.weightType.elementType
    try run.times.measure("write the model") {
      try training.withAveragedWeights {
        try $0.write(folder: modelFolder, elementType: elementType)
      }
    }
  }
}
