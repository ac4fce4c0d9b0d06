import Diffusion
import GenerativeModels
import Foundation
import InitialNoise
import Media
import NeuralNetworks
import Rewards
import Runs
import Tensors
import TextToImage

/// The settings of `attune noise optimize`.
public struct NoiseOptimizationSettings: RunConfiguration {
  /// Decides the noise.
  public var seed: UInt64 = 0
  /// The model folder, in the layout of diffusers.
  public var model = ""
  /// Files of learned tokens (textual inversion), each as FILE or TOKEN=FILE.
  public var embeddings: [String] = []
  /// What to draw; each prompt gets a prior of its own.
  public var prompts: [String] = []
  /// What guidance leads away from.
  public var negativePrompt = ""
  /// What to optimize, such as clip or command:'PROGRAM ARGS'.
  public var reward = ""
  /// The folder of the CLIP model, for rewards that need one.
  public var clip: String?
  /// The seconds that an external program may take.
  public var rewardTimeLimit = 600.0
  /// How pictures are drawn.
  public var sampling = SamplingSettings.defaults
  /// How a prior is learned.
  public var find = FINDConfiguration()
  /// Pictures of each prompt in the grids before and after.
  public var gridCount = 16
  /// The seed of the first of them; they are none that a prior is learned from.
  public var gridSeed: UInt64 = 1_000_000
  /// Iterations between checkpoints.
  public var checkpointInterval = 1

  /// What may be changed when a run is resumed.
  public static let changeableOnResume = ChangeableSettings(
    keys: ["find.iterationCount", "rewardTimeLimit", "checkpointInterval"],
    paths: ["model", "reward", "clip"])

  /// What holds where nothing else is set.
  public static let defaults = NoiseOptimizationSettings()

  /// Checks ranges.
  public func validate() throws {
    if model.isEmpty {
      throw ConfigurationError.badValue(
        key: "model", found: "nothing", expected: "the path of a model folder (or give --model DIR)"
      )
    }
    if prompts.isEmpty {
      throw ConfigurationError.badValue(
        key: "prompts", found: "none", expected: "at least one prompt (or give --prompt TEXT)")
    }
    if reward.isEmpty {
      throw ConfigurationError.badValue(
        key: "reward", found: "nothing",
        expected: "a reward such as clip or png-size (or give --reward NAME)")
    }
    if try RewardExpression(reward).needsCLIP, clip == nil {
      throw ConfigurationError.badValue(
        key: "clip", found: "nothing",
        expected: "the folder of a CLIP model, which this reward needs (or give --clip DIR)")
    }
    try checking("find") { try find.validate() }
    if !(1...1_024).contains(gridCount) {
      throw ConfigurationError.badValue(
        key: "gridCount", found: "\(gridCount)", expected: "1 to 1024")
    }
    if checkpointInterval < 1 {
      throw ConfigurationError.badValue(
        key: "checkpointInterval", found: "\(checkpointInterval)", expected: "a number above 0")
    }
    if !(rewardTimeLimit > 0 && rewardTimeLimit <= 1e6) {
      throw ConfigurationError.badValue(
        key: "rewardTimeLimit", found: "\(rewardTimeLimit)", expected: "seconds above 0")
    }
  }
}

/// How pictures are drawn, as settings.
public struct SamplingSettings: RunConfiguration {
  /// Denoising steps.
  public var stepCount = 20
  /// Classifier-free guidance scale; 1 or less turns it off.
  public var guidance = 4.0
  /// The model's own if there is none.
  public var sampler: SamplerKind?
  /// Last layers of the text encoder to skip; as in diffusers, where 1 is what others call 2.
  public var clipSkip = 0
  /// How much of DDPM's noise DDIM draws, 0 to 1.
  public var eta = 0.0
  /// How far guidance is brought back to the standard deviation of the unguided prediction, 0 to 1.
  public var guidanceRescale = 0.0
  /// Whether large images are decoded in tiles, which takes less memory.
  public var vaeTiling = false
  /// The most pictures at a time.
  public var batchSize = 16
  /// Pixels in a row of each picture; the model's own if there is none.
  public var width: Int?
  /// Rows of each picture; the model's own if there is none.
  public var height: Int?

  /// What holds where nothing else is set.
  public static let defaults = SamplingSettings()

  /// Checks ranges.
  public func validate() throws {
    let ranges = [
      ("stepCount", stepCount, 1...10_000), ("batchSize", batchSize, 1...100_000),
      ("width", width ?? 1, 1...16_384), ("height", height ?? 1, 1...16_384),
      ("clipSkip", clipSkip, 0...1_000),
    ]
    for (key, number, range) in ranges where !range.contains(number) {
      throw ConfigurationError.badValue(
        key: key, found: "\(number)", expected: "\(range.lowerBound) to \(range.upperBound)")
    }
    if !(0...1_000).contains(guidance) {
      throw ConfigurationError.badValue(
        key: "guidance", found: "\(guidance)", expected: "0 to 1000")
    }
    for (key, number) in [("eta", eta), ("guidanceRescale", guidanceRescale)]
    where !(0...1).contains(number) {
      throw ConfigurationError.badValue(key: key, found: "\(number)", expected: "0 to 1")
    }
  }

  /// The same for the pipeline.
  var generation: GenerationSettings {
    var settings = GenerationSettings()
    settings.stepCount = stepCount
    settings.guidance = Guidance(scale: Float(guidance), rescale: Float(guidanceRescale))
    settings.skippedTextLayerCount = clipSkip
    settings.eta = Float(eta)
    settings.isTiled = vaeTiling
    settings.sampler = sampler
    settings.batchSize = batchSize
    (settings.width, settings.height) = (width, height)
    return settings
  }
}

/// FIND for all prompts of a run at once, until each has settled or all iterations are done.
final class NoiseOptimization: Trainer {
  let configuration: FINDConfiguration
  let finds: [FIND]
  private let prompts: [String]
  private let painter: NoisePainter
  private let reward: any Reward
  private let fingerprint: String
  /// Whether a state must be of the same reward; newer runs compare what the reward reads.
  private let comparesReward: Bool

  init(
    _ settings: NoiseOptimizationSettings, painter: NoisePainter, reward: any Reward,
    comparesReward: Bool
  ) throws {
    configuration = settings.find
    prompts = settings.prompts
    self.painter = painter
    self.reward = reward
    self.comparesReward = comparesReward
    let shape = try painter.pipeline.sampleShape(painter.settings)
    let model = painter.pipeline.model
    finds = try settings.prompts.enumerated().map { index, prompt in
      let embedding = model.textEncoder([model.tokenizer.paddedTokens(prompt)]).pooled
      return try FIND(
        shape: shape, promptEmbedding: embedding.flattened(), configuration: settings.find,
        seed: settings.seed, promptIndex: index)
    }
    fingerprint = model.fingerprint
  }

  var iteration: Int { finds.map(\.iteration).max() ?? 0 }
  var isFinished: Bool { finds.allSatisfy(\.isFinished) }
  /// Fewer than the settings say once every prompt's reward has settled.
  var iterations: Int { isFinished ? iteration : configuration.iterationCount }
  var step: Int { finds.reduce(0) { $0 + $1.imageCount } }

  /// One iteration of every prompt that is not finished.
  func iterate() throws -> Metrics {
    var metrics = Metrics()
    let active = finds.indices.filter { !finds[$0].isFinished }
    let noises = active.map { finds[$0].draw() }
    let counts = noises.map { $0.shape[0] }
    let imagePrompts = zip(active, counts).flatMap { index, count in
      [String](repeating: prompts[index], count: count)
    }
    let seeds = active.flatMap { finds[$0].imageSeeds(promptCount: finds.count) }
    let images = try metrics.measure("denoise") {
      try painter.paint(.concatenated(noises, along: 0), prompts: imagePrompts, seeds: seeds)
    }
    let judged = try metrics.measure("judge") {
      try reward.judged(images, prompts: imagePrompts)
    }
    var reports: [(index: Int, report: FIND.Report)] = []
    try metrics.measure("update") {
      var start = 0
      for (place, index) in active.enumerated() {
        let rewards = Array(judged.values[start..<start + counts[place]])
        start += counts[place]
        reports.append((index, try finds[index].learn(from: noises[place], rewards: rewards)))
      }
    }
    record(reports, in: &metrics)
    return metrics
  }

  /// Means over prompts.
  private func record(
    _ reports: [(index: Int, report: FIND.Report)], in metrics: inout Metrics
  ) {
    let count = Double(reports.count)
    func mean(_ value: (FIND.Report) -> Double) -> Double {
      reports.reduce(0) { $0 + value($1.report) } / count
    }
    metrics["reward"] = mean(\.reward)
    metrics["rewardStandardError"] =
      mean { $0.rewardStandardError * $0.rewardStandardError }.squareRoot() / count.squareRoot()
    metrics["bestReward"] = mean(\.bestReward)
    metrics["droppedCount"] = mean { Double($0.droppedCount) } * count
    metrics["klDivergence"] = mean(\.divergence)
    metrics["shift"] = mean(\.shift)
    metrics["meanDeviation"] = mean(\.meanDeviation)
    metrics["loss"] = mean(\.loss)
    metrics["clipFraction"] = mean(\.clipFraction)
    metrics["gradientNorm"] = mean(\.gradientNorm)
    if finds.count > 1 {
      for (index, report) in reports { metrics["rewardOfPrompt\(index + 1)"] = report.reward }
    }
  }

  func trainingState() -> TrainingState {
    var state = TrainingState()
    for (index, find) in finds.enumerated() {
      state.add(find.trainingState, under: "prompt\(index)")
    }
    state.texts["model"] = fingerprint
    state.texts["prompts"] = prompts.joined(separator: "\n")
    state.texts["reward"] = reward.name
    return state
  }

  func restore(_ state: TrainingState) throws {
    try requireSame("model", fingerprint, as: state)
    try requireSame("prompts", prompts.joined(separator: "\n"), as: state)
    if comparesReward { try requireSame("reward", reward.name, as: state) }
    for (index, find) in finds.enumerated() {
      try find.restore(state.state(under: "prompt\(index)"))
    }
  }

  /// A prior that was learned for another prompt or model would go on under a wrong name.
  private func requireSame(_ key: String, _ found: String, as state: TrainingState) throws {
    // Runs from before this was checked do not say it.
    guard let start = state.texts[key], start != found else { return }
    throw SettingError(
      key: key, found: found, expected: "what the run was started with, \(start)")
  }
}

/// The optimization of initial noise (FIND): a prior of each prompt, and grids before and after.
public struct NoiseOptimizationJob: TrainingJob {
  /// Where it is recorded.
  public let run: Run<NoiseOptimizationSettings>
  private let optimization: NoiseOptimization
  private let painter: NoisePainter
  private let reward: any Reward

  private var settings: NoiseOptimizationSettings { run.configuration }

  /// Opens model and reward and starts the optimization, or goes on with it.
  ///
  /// - Throws: what reading models and rewards throws; `SettingError` for settings that do not fit;
  ///   `RunFolderError` if model or reward are others than those of the start.
  public init(_ run: Run<NoiseOptimizationSettings>) throws {
    let settings = run.configuration
    let expression = try RewardExpression(settings.reward)
    try run.require(expression.inputs(clip: settings.clip))
    let reward = try expression.reward(
      clipFolder: settings.clip, timeLimit: settings.rewardTimeLimit)
    let pipeline = try TextToImagePipeline(
      folder: settings.model, embeddings: settings.embeddings, log: run.log)
    try run.require([
      RunInput(key: "model", path: settings.model, fingerprint: pipeline.model.fingerprint)
    ])
    run.log.noteWeights(ofModel: settings.model)
    try pipeline.check(
      settings.sampling.generation, negativePrompt: settings.negativePrompt,
      samplerOption: "--sampler, or the setting sampling.sampler", log: run.log)
    run.log.warnOfCutPrompts(settings.prompts, tokenizer: pipeline.model.tokenizer)
    run.log.say(
      "\(settings.prompts.count.counting("prompt")), "
        + "\(settings.find.imageCount.counting("picture")) of each in an iteration, run folder "
        + run.folder.path.printable)
    painter = NoisePainter(
      pipeline: pipeline, settings: settings.sampling.generation,
      negativePrompt: settings.negativePrompt)
    optimization = try NoiseOptimization(
      settings, painter: painter, reward: reward, comparesReward: !run.knowsInput("reward"))
    if let resumed = run.resumed { try optimization.restore(resumed.trainingState) }
    self.run = run
    self.reward = reward
  }

  /// What learns.
  public var trainer: any Trainer { optimization }
  /// Iterations between checkpoints.
  public var checkpointInterval: Int { settings.checkpointInterval }
  /// The setting that says how many iterations there are to be.
  public var iterationsKey: String { "find.iterationCount" }
  /// What it is all for.
  public var resultNoun: String { "prior" }
  /// Where that is.
  public var resultPaths: [String] { optimization.finds.indices.map(priorPath) }

  /// Looks at what there is before the first iteration.
  public mutating func begin() throws {
    let grid = try grid("before", priors: settings.prompts.map { _ in nil })
    run.drawStart { try write(grid, "before") }
  }

  /// Adds evaluations that are due to a line of metrics.
  public mutating func evaluate(into record: inout MetricsRecord, isLast: Bool) throws {
    let dropped = Int(record["droppedCount"] ?? 0)
    guard dropped > 0 else { return }
    run.log.warn(
      "iteration \(record.iteration): the reward gave no finite number for "
        + "\(dropped.counting("picture")), left out")
  }

  /// A few words for the line of progress.
  public func words(for record: MetricsRecord) -> String {
    "reward \(record["reward"]?.short ?? "none")"
  }

  /// Images and videos that show the present iteration.
  public var images: [String] {
    optimization.isFinished ? [run.imagePath("after"), run.imagePath("reward")] : []
  }

  /// Draws them.
  public mutating func drawImages() throws {
    try write(grid("after", priors: optimization.finds.map(\.prior)), "after")
    try drawCurve()
  }

  private func priorPath(_ index: Int) -> String {
    let suffix = settings.prompts.count > 1 ? "-\(index + 1)" : ""
    return "\(run.folder.path)/prior\(suffix).safetensors"
  }

  /// Writes what the training is for, as it is now.
  public func writeResults() throws {
    for (index, find) in optimization.finds.enumerated() {
      let origin = PriorOrigin(
        prompt: settings.prompts[index], negativePrompt: settings.negativePrompt,
        model: painter.pipeline.model.fingerprint, settings: painter.settings,
        reward: reward.name, imageCount: find.imageCount)
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
        try reward.judged(drawn, prompts: [String](repeating: prompt, count: drawn.count))
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
          name: reward.name, x: records.map { Double($0.step) },
          y: records.map { $0["reward"] ?? .nan },
          spread: records.map { $0["rewardStandardError"] ?? 0 })
      ], title: "Reward while learning", xLabel: "pictures", yLabel: "mean reward")
    try run.write(png: Data(chart.image().pngBytes()), name: "reward")
  }
}

/// Makes pictures of given noise.
package struct NoisePainter {
  package let pipeline: TextToImagePipeline
  package let settings: GenerationSettings
  package let negativePrompt: String

  package init(
    pipeline: TextToImagePipeline, settings: GenerationSettings, negativePrompt: String
  ) {
    self.pipeline = pipeline
    self.settings = settings
    self.negativePrompt = negativePrompt
  }

  /// Pictures of noise `[B, h, w, C]`.
  package func paint(_ noise: Tensor, prompts: [String], seeds: [UInt64]) throws -> [Image] {
    let pictures = try pipeline.images(
      prompts: prompts, negativePrompts: [negativePrompt], seeds: seeds, settings: settings,
      initialNoise: noise)
    return Image.batch(pictures, range: .zeroToOne)
  }

  /// Pictures of a prompt with the seeds from `firstSeed`, their noise moved by a prior if there is
  /// one.
  package func paint(
    _ prompt: String, prior: NoisePrior?, firstSeed: UInt64, count: Int
  ) throws -> [Image] {
    let seeds = (0..<count).map { firstSeed &+ UInt64($0) }
    var source = TorchNoise(seeds: seeds)
    let unit = source.noise([count] + (try pipeline.sampleShape(settings)))
    return try paint(prior?.noise(from: unit) ?? unit, prompts: [prompt], seeds: seeds)
  }
}
