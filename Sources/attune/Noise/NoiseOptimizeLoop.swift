import ArgumentParser
import Foundation
import InitialNoise
import Media
import NeuralNetworks
import Rewards
import Runs
import Tensors
import TextToImage

/// Draws, judges and learns for all prompts at once, until each has settled, all iterations are done or
/// the user stops it.
struct NoiseOptimizeLoop {
  private let run: Run<NoiseOptimizeSettings>
  private let painter: NoisePainter
  private let judge: any Reward
  private let isQuiet: Bool
  private let finds: [FIND]
  private let fingerprint: String

  private var settings: NoiseOptimizeSettings { run.configuration }

  init(
    run: Run<NoiseOptimizeSettings>, pipeline: TextToImagePipeline, judge: any Reward,
    isQuiet: Bool
  ) throws {
    self.run = run
    self.judge = judge
    self.isQuiet = isQuiet
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
    if let resumed = run.resumed {
      for (index, find) in finds.enumerated() {
        try find.restore(resumed.trainingState.state(under: "prompt\(index)"))
      }
    }
  }

  func optimize() throws {
    let names = settings.prompts.count.counting("prompt")
    run.log.say(
      "\(names), \(settings.find.imageCount.counting("picture")) each in an iteration, run folder "
        + run.folder.path.printable)
    Interruption.install()
    if run.resumed == nil { try drawGrid("before", priors: finds.map { _ in nil }) }
    var progress = ProgressBar(
      "optimize", total: settings.find.iterationCount, alreadyDone: run.firstIteration - 1,
      unit: "iteration", isQuiet: isQuiet)
    var iteration = run.firstIteration - 1
    while finds.contains(where: { !$0.isFinished }) {
      iteration += 1
      let reward = try learn(iteration)
      progress.update(iteration, note: "reward \(reward.short)")
      let isLast = finds.allSatisfy(\.isFinished)
      let isInterrupted = Interruption.isRequested && !isLast
      if isLast || isInterrupted || iteration.isMultiple(of: settings.checkpointInterval) {
        try save(iteration)
      }
      if isInterrupted {
        run.sayInterrupted(after: iteration, command: "attune noise optimize")
        throw ExitCode.interrupted
      }
    }
    try writePriors()
    try drawGrid("after", priors: finds.map(\.prior))
    try drawCurve()
    run.log.say(run.times.table)
    for path in finds.indices.map(priorPath) { run.log.say("the prior is \(path.printable)") }
  }

  /// One iteration of every prompt that is not finished; gives the mean reward.
  private func learn(_ iteration: Int) throws -> Double {
    let active = finds.indices.filter { !finds[$0].isFinished }
    let noises = active.map { finds[$0].draw() }
    let counts = noises.map { $0.shape[0] }
    let prompts = zip(active, counts).flatMap { index, count in
      [String](repeating: settings.prompts[index], count: count)
    }
    // Seeds matter to samplers that draw noise on their way.
    let first = settings.seed &+ UInt64(iteration) &* UInt64(prompts.count)
    let images = try run.times.measure("denoise") {
      try painter.paint(
        .concatenated(noises, along: 0), prompts: prompts,
        seeds: prompts.indices.map { first &+ UInt64($0) })
    }
    let judged = try run.times.measure("judge") { try judge.judged(images, prompts: prompts) }
    if judged.droppedCount > 0 {
      run.log.warn(
        "iteration \(iteration): the reward gave no finite number for "
          + "\(judged.droppedCount.counting("picture")), left out")
    }
    var reports: [(index: Int, report: FIND.Report)] = []
    try run.times.measure("update") {
      var start = 0
      for (place, index) in active.enumerated() {
        let rewards = Array(judged.values[start..<start + counts[place]])
        start += counts[place]
        reports.append((index, try finds[index].learn(from: noises[place], rewards: rewards)))
      }
    }
    let record = record(iteration, reports)
    try run.write(record)
    return record["reward"] ?? .nan
  }

  private func record(
    _ iteration: Int, _ reports: [(index: Int, report: FIND.Report)]
  ) -> MetricsRecord {
    var record = MetricsRecord(
      iteration: iteration, step: finds.reduce(0) { $0 + $1.imageCount })
    let count = Double(reports.count)
    func mean(_ value: (FIND.Report) -> Double) -> Double {
      reports.reduce(0) { $0 + value($1.report) } / count
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

  private func save(_ iteration: Int) throws {
    var checkpoint = Checkpoint(iteration: iteration)
    var state = TrainingState()
    for (index, find) in finds.enumerated() {
      state.add(find.trainingState, under: "prompt\(index)")
    }
    checkpoint.add(state)
    try run.save(checkpoint)
    try writePriors()
  }

  private func priorPath(_ index: Int) -> String {
    "\(run.folder.path)/prior\(finds.count > 1 ? "-\(index + 1)" : "").safetensors"
  }

  private func writePriors() throws {
    for (index, find) in finds.enumerated() {
      let origin = PriorOrigin(
        prompt: settings.prompts[index], negativePrompt: settings.negativePrompt,
        model: fingerprint, settings: painter.settings, reward: judge.name,
        imageCount: find.imageCount)
      try NoisePriorFile(prior: find.prior, origin: origin).write(to: priorPath(index))
    }
  }

  /// A grid of every prompt from the same fresh seeds, with its mean reward.
  private func drawGrid(_ name: String, priors: [NoisePrior?]) throws {
    var images: [Image] = []
    var lines: [String] = []
    for (prompt, prior) in zip(settings.prompts, priors) {
      let drawn = try run.times.measure("grids") {
        try painter.paint(
          prompt, prior: prior, firstSeed: settings.gridSeed, count: settings.gridCount)
      }
      let scores = try judge.judged(
        drawn, prompts: [String](repeating: prompt, count: drawn.count))
      images += drawn
      lines.append("\(prompt) (\(name), reward \(scores.mean.map(\.short) ?? "none"))")
      run.log.say("\(name): reward \(scores.mean.map(\.short) ?? "none") on fresh seeds, \(prompt)")
    }
    let request = SampleRequest(
      prompts: lines, count: settings.gridCount, seed: settings.gridSeed)
    try run.write(
      png: Data(request.grid(images, magnification: nil).rendered().pngBytes()), name: name)
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
