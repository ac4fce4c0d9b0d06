import Foundation
import ImageFineTuning
import Media
import Rewards
import Runs

/// What `attune image finetune` does: iterations, evaluations on fresh seeds and the model folder.
struct ImageFinetuneWork: TrainingWork {
  let run: Run<ImageFinetuneSettings>
  let training: ImageFineTuning
  let reward: any Reward
  /// The reward on fresh seeds before the first iteration.
  private var rewardBefore: String?
  private static let beforeKey = "run.rewardBefore"
  /// What the last evaluation drew, until it is written.
  private var evaluated: (iteration: Int, grid: ImageGrid)?

  init(run: Run<ImageFinetuneSettings>, training: ImageFineTuning, reward: any Reward) {
    self.run = run
    self.training = training
    self.reward = reward
    rewardBefore = run.resumed?.metadata[Self.beforeKey]
  }

  var iteration: Int { training.iteration }
  var iterationCount: Int { run.configuration.training.iterationCount }
  var reportInterval: Int { 1 }
  var checkpointInterval: Int { run.configuration.checkpointInterval }
  var iterationCountKey: String { "training.iterationCount" }
  var resultNoun: String { "model" }
  var resultPaths: [String] { [modelFolder] }
  private var modelFolder: String { "\(run.folder.path)/model" }

  mutating func begin() throws {
    let (grid, scores) = try evaluate()
    run.drawStart { try run.write(png: Data(grid.rendered().pngBytes()), name: "before") }
    rewardBefore = scores.words
    run.log.say("reward on fresh seeds: \(scores.words)")
  }

  mutating func iterate() throws -> ImageFineTuningReport {
    let report = try training.iterate()
    run.times.add(.seconds(report.times.sampling), to: "sample")
    run.times.add(.seconds(report.times.judging), to: "judge")
    run.times.add(.seconds(report.times.update), to: "update")
    if report.droppedCount > 0 {
      run.log.warn(
        "iteration \(report.iteration): \(report.droppedCount.counting("image")) without a finite "
          + "reward left out")
    }
    return report
  }

  mutating func write(_ report: ImageFineTuningReport, isLast: Bool) throws -> String {
    var record = report.metrics
    if isEvaluated {
      let (grid, scores) = try evaluate()
      evaluated = (iteration, grid)
      record["evaluationReward"] = scores.mean ?? .nan
      record["evaluationRewardStandardError"] = scores.standardError
      let before = rewardBefore.map { ", before \($0)" } ?? ""
      run.log.say(
        "iteration \(report.iteration.grouped): reward on fresh seeds \(scores.words)\(before)")
    }
    try run.write(
      record,
      times: [
        "secondsSampling": report.times.sampling, "secondsJudging": report.times.judging,
        "secondsUpdating": report.times.update,
      ])
    return report.words
  }

  private var isEvaluated: Bool {
    iteration == iterationCount || run.configuration.evaluation.isDue(after: iteration)
  }

  var images: [String] { isEvaluated ? [run.imagePath("after")] : [] }

  mutating func drawImages() throws {
    var grid = evaluated?.iteration == iteration ? evaluated?.grid : nil
    evaluated = nil
    if grid == nil { grid = try evaluate().grid }
    if let grid { try run.write(png: Data(grid.rendered().pngBytes()), name: "after") }
  }

  /// Draws a grid from fresh seeds and judges it.
  private func evaluate() throws -> (grid: ImageGrid, scores: RewardScores) {
    try run.times.measure("evaluate") {
      try run.configuration.evaluation.evaluate(training, reward: reward)
    }
  }

  func checkpoint() throws -> Checkpoint {
    var checkpoint = Checkpoint(iteration: training.iteration)
    checkpoint.add(try training.trainingState())
    checkpoint.metadata[Self.beforeKey] = rewardBefore
    return checkpoint
  }

  func writeResults() throws {
    try run.times.measure("write the model") {
      try training.model.write(
        folder: modelFolder, elementType: run.configuration.weightType.elementType)
      try training.writeAdapters(
        to: "\(run.folder.path)/pytorch_lora_weights.safetensors")
    }
  }
}

extension RewardScores {
  /// Mean and standard error for a line.
  fileprivate var words: String { "\((mean ?? .nan).short) +- \(standardError.short)" }
}

extension ImageFineTuningReport {
  /// The numbers for a run's metrics; none depends on the clock.
  fileprivate var metrics: MetricsRecord {
    var record = MetricsRecord(iteration: iteration, step: imageCount)
    record["images"] = Double(imageCount)
    record["reward"] = reward
    record["rewardStandardError"] = rewardStandardError
    record["droppedImages"] = Double(droppedCount)
    record["klDivergence"] = klDivergence
    record["klPenalty"] = update.klPenalty
    record["policyLoss"] = update.policyLoss
    record["clipFraction"] = update.clipFraction
    record["ratio"] = update.ratio
    record["approximateKL"] = update.approximateKL
    record["gradientNorm"] = update.gradientNorm
    record["updates"] = Double(update.stepCount)
    return record
  }

  /// A few words for the progress line.
  fileprivate var words: String {
    "reward \(reward.short) +- \(rewardStandardError.short), KL \(klDivergence.short), "
      + "clipped \((update.clipFraction * 100).short)%"
  }
}
