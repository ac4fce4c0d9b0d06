import ArgumentParser
import Foundation
import Media
import Runs
import TextToImage

/// Batches, reports, grids and checkpoints, until all batches are done or the user stops it.
struct ImageTrainLoop {
  let run: Run<ImageTrainSettings>
  let training: ImageTraining
  let prompts: [String]
  let isQuiet: Bool
  var window: LossWindow

  private var modelFolder: String { "\(run.folder.path)/model" }

  mutating func train() throws {
    let settings = run.configuration
    let total = settings.training.batchCount
    var progress = ProgressBar(
      "train", total: total, alreadyDone: training.batchIndex, unit: "batch", isQuiet: isQuiet)
    Interruption.install()
    var start = (clock: ContinuousClock.now, batch: training.batchIndex)
    while training.batchIndex < total {
      let report = try run.times.measure("train") {
        try run.stoppingAtNonFinite(iteration: training.batchIndex + 1) { try training.step() }
      }
      window.add(report.loss)
      let batch = training.batchIndex
      let isLast = batch == total
      if isLast || batch.isMultiple(of: settings.reportInterval) {
        let mean = window.takeMean()
        var record = MetricsRecord(iteration: batch, step: batch)
        record["loss"] = mean
        record["learningRate"] = report.learningRate
        record["gradientNorm"] = report.gradientNorm
        let seconds = (ContinuousClock.now - start.clock) / .seconds(1)
        try run.write(
          record, times: ["secondsPerBatch": seconds / Double(batch - start.batch)])
        start = (.now, batch)
        progress.update(batch, note: "loss \(mean.short)")
        if settings.samples.isDue(after: batch, isLast: isLast) { try drawSamples() }
      }
      let isInterrupted = Interruption.isRequested && !isLast
      if isLast || isInterrupted || batch.isMultiple(of: settings.checkpointInterval) {
        try save()
      }
      if isInterrupted {
        run.sayInterrupted(after: batch, command: "attune image train")
        throw ExitCode.interrupted
      }
    }
    run.log.say(run.times.table)
    run.log.say("the model is \(modelFolder)")
  }

  private func drawSamples() throws {
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

  private func save() throws {
    var checkpoint = Checkpoint(iteration: training.batchIndex)
    checkpoint.add(training.trainingState)
    window.store(in: &checkpoint)
    let elementType = run.configuration.weightType.elementType
    try run.times.measure("write the model") {
      try training.withAveragedWeights {
        try $0.write(folder: modelFolder, elementType: elementType)
      }
    }
    try run.save(checkpoint)
  }
}
