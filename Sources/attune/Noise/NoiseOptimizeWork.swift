import Diffusion
import Foundation
import InitialNoise
import Media
import NeuralNetworks
import Rewards
import Runs
import Tensors
import TextToImage

/// What `attune noise optimize` does: draws, judges and learns for all prompts at once, until each
/// has settled or all iterations are done.
struct NoiseOptimizeWork: TrainingWork {
  let run: Run<NoiseOptimizeSettings>
  private let painter: NoisePainter
  private let judge: any Reward
  private let finds: [FIND]
  private let fingerprint: String

  private var settings: NoiseOptimizeSettings { run.configuration }

  init(
    run: Run<NoiseOptimizeSettings>, pipeline: TextToImagePipeline, judge: any Reward
  ) throws {
    self.run = run
    self.judge = judge
    let settings = run.configuration
    painter = NoisePainter(
      pipeline: pipeline, settings: settings.sampling.generation,
      negativePrompt: settings.negativePrompt)
    let shape = try pipeline.sampleShape(painter.settings)
    let model = pipeline.model
    finds = try settings.prompts.enumerated().map { index, prompt in
      let embedding = model.textEncoder([model.tokenizer.paddedTokens(prompt)]).pooled
      return try FIND(
        shape: shape, promptEmbedding: embedding.flattened(), configuration: settings.find,
        seed: settings.seed, promptIndex: index)
    }
    fingerprint = model.fingerprint
    if let state = run.resumed?.trainingState {
      try requireSame("model", fingerprint, as: state)
      try requireSame("prompts", promptList, as: state)
      // Newer runs compare what the reward reads, wherever that lies.
      if !run.knowsInput("reward") { try requireSame("reward", judge.name, as: state) }
      for (index, find) in finds.enumerated() {
        try find.restore(state.state(under: "prompt\(index)"))
      }
    }
  }

  /// A prior that was learned for another prompt or model would go on under a wrong name.
  private func requireSame(_ key: String, _ found: String, as state: TrainingState) throws {
    // Runs from before this was checked do not say it.
    guard let start = state.texts[key], start != found else { return }
    throw SettingError(
      key: key, found: found, expected: "what the run was started with, \(start)")
  }

  private var promptList: String { settings.prompts.joined(separator: "\n") }

  var iteration: Int { finds.map(\.iteration).max() ?? 0 }
  var reportInterval: Int { 1 }
  var checkpointInterval: Int { settings.checkpointInterval }

  /// Fewer than the settings say once every prompt's reward has settled.
  var iterationCount: Int {
    finds.allSatisfy(\.isFinished) ? iteration : settings.find.iterationCount
  }

  var iterationCountKey: String { "find.iterationCount" }
  var resultNoun: String { "prior" }
  var resultPaths: [String] { finds.indices.map(priorPath) }

  mutating func begin() throws {
    let grid = try grid("before", priors: finds.map { _ in nil })
    run.drawStart { try write(grid, "before") }
  }

  /// One iteration of every prompt that is not finished.
  mutating func iterate() throws -> [Int: FIND.Report] {
    let active = finds.indices.filter { !finds[$0].isFinished }
    let noises = active.map { finds[$0].draw() }
    let counts = noises.map { $0.shape[0] }
    let prompts = zip(active, counts).flatMap { index, count in
      [String](repeating: settings.prompts[index], count: count)
    }
    let seeds = active.flatMap { finds[$0].imageSeeds(promptCount: finds.count) }
    let images = try run.times.measure("denoise") {
      try painter.paint(
        .concatenated(noises, along: 0), prompts: prompts, seeds: seeds)
    }
    let judged = try run.times.measure("judge") { try judge.judged(images, prompts: prompts) }
    if judged.droppedCount > 0 {
      run.log.warn(
        "iteration \(iteration + 1): the reward gave no finite number for "
          + "\(judged.droppedCount.counting("picture")), left out")
    }
    return try run.times.measure("update") {
      var reports: [Int: FIND.Report] = [:]
      var start = 0
      for (place, index) in active.enumerated() {
        let rewards = Array(judged.values[start..<start + counts[place]])
        start += counts[place]
        reports[index] = try finds[index].learn(from: noises[place], rewards: rewards)
      }
      return reports
    }
  }

  mutating func write(_ reports: [Int: FIND.Report], isLast: Bool) throws -> String {
    let record = record(reports)
    try run.write(record)
    return "reward \(record["reward"]?.short ?? "none")"
  }

  var images: [String] {
    iteration == iterationCount ? [run.imagePath("after"), run.imagePath("reward")] : []
  }

  mutating func drawImages() throws {
    try write(grid("after", priors: finds.map(\.prior)), "after")
    try drawCurve()
  }

  private func record(_ reports: [Int: FIND.Report]) -> MetricsRecord {
    var record = MetricsRecord(
      iteration: iteration, step: finds.reduce(0) { $0 + $1.imageCount })
    let count = Double(reports.count)
    func mean(_ value: (FIND.Report) -> Double) -> Double {
      reports.sorted { $0.key < $1.key }.reduce(0) { $0 + value($1.value) } / count
    }
    record["reward"] = mean(\.reward)
    record["rewardStandardError"] =
      mean { $0.rewardStandardError * $0.rewardStandardError }.squareRoot() / count.squareRoot()
    record["bestReward"] = mean(\.bestReward)
    record["droppedCount"] = mean { Double($0.droppedCount) } * count
    record["klDivergence"] = mean(\.divergence)
    record["shift"] = mean(\.shift)
    record["meanDeviation"] = mean(\.meanDeviation)
    record["loss"] = mean(\.loss)
    record["clipFraction"] = mean(\.clipFraction)
    record["gradientNorm"] = mean(\.gradientNorm)
    if finds.count > 1 {
      for (index, report) in reports { record["rewardOfPrompt\(index + 1)"] = report.reward }
    }
    return record
  }

  func checkpoint() throws -> Checkpoint {
    var checkpoint = Checkpoint(iteration: iteration)
    var state = TrainingState()
    for (index, find) in finds.enumerated() {
      state.add(find.trainingState, under: "prompt\(index)")
    }
    state.texts["model"] = fingerprint
    state.texts["prompts"] = promptList
    state.texts["reward"] = judge.name
    checkpoint.add(state)
    return checkpoint
  }

  private func priorPath(_ index: Int) -> String {
    "\(run.folder.path)/prior\(finds.count > 1 ? "-\(index + 1)" : "").safetensors"
  }

  func writeResults() throws {
    for (index, find) in finds.enumerated() {
      let origin = PriorOrigin(
        prompt: settings.prompts[index], negativePrompt: settings.negativePrompt,
        model: fingerprint, settings: painter.settings, reward: judge.name,
        imageCount: find.imageCount)
      try NoisePriorFile(prior: find.prior, origin: origin).write(to: priorPath(index))
    }
  }

  /// A grid of every prompt from the same fresh seeds, with its mean reward.
  private func grid(_ name: String, priors: [NoisePrior?]) throws -> ImageGrid {
    var images: [Image] = []
    var lines: [String] = []
    for (prompt, prior) in zip(settings.prompts, priors) {
      let drawn = try run.times.measure("denoise") {
        try painter.paint(
          prompt, prior: prior, firstSeed: settings.gridSeed, count: settings.gridCount)
      }
      let scores = try run.times.measure("judge") {
        try judge.judged(drawn, prompts: [String](repeating: prompt, count: drawn.count))
      }
      images += drawn
      lines.append("\(prompt) (\(name), reward \(scores.mean.map(\.short) ?? "none"))")
      run.log.say("\(name): reward \(scores.mean.map(\.short) ?? "none") on fresh seeds, \(prompt)")
    }
    let request = SampleRequest(
      prompts: lines, count: settings.gridCount, seed: settings.gridSeed)
    return request.grid(images, magnification: nil)
  }

  private func write(_ grid: ImageGrid, _ name: String) throws {
    let png = run.times.measure("grids") { Data(grid.rendered().pngBytes()) }
    try run.write(png: png, name: name)
  }

  /// The rewards of all iterations as a picture.
  private func drawCurve() throws {
    let records = try MetricsReader(path: run.folder.metricsPath).records
    let chart = LineChart(
      [
        .init(
          name: judge.name, x: records.map { Double($0.step) },
          y: records.map { $0["reward"] ?? .nan },
          spread: records.map { $0["rewardStandardError"] ?? 0 })
      ], title: "Reward while learning", xLabel: "pictures", yLabel: "mean reward")
    try run.write(png: Data(chart.image().pngBytes()), name: "reward")
  }
}
