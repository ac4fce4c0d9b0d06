import Configuration
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
import TextToVideo

/// The settings of `attune noise optimize`.
public struct NoiseOptimizationSettings: RunConfiguration {
  /// Decides the noise; -1 for a random seed, which `config.yaml` tells.
  public var seed: UInt64 = 0
  /// The precision of matrix products: `highest` is in 32-bit floats, `high` near them, and `medium`
  /// in bfloat16; where the processor has no instructions for one, it is computed as `highest`.
  public var precision = Precision.highest
  /// The model folder, in the layout of diffusers.
  @Setting(.required("the path of a model folder (or give --model DIR)"))
  public var model = ""
  /// Files of learned tokens (textual inversion), each as FILE or TOKEN=FILE.
  public var embeddings: [String] = []
  /// Files of low-rank changes (LoRA) that are added to the model's weights, each as FILE or
  /// FILE:SCALE.
  public var loras: [String] = []
  /// The folder of an autoencoder, such as a tiny one (TAESD), that decodes the images that are
  /// scored while priors are learned; grids before and after are decoded by the model itself.
  public var decoder: String?
  /// What to draw; each prompt gets a prior of its own.
  @Setting(.required("at least one prompt (or give --prompt TEXT)"))
  public var prompts: [String] = []
  /// What guidance leads away from.
  public var negativePrompt = ""
  /// What to optimize, such as clip or command:'PROGRAM ARGS'.
  @Setting(.required("a reward such as clip or png-size (or give --reward NAME)"))
  public var reward = ""
  /// The folder of the CLIP model, for rewards that need one.
  public var clip: String?
  /// The seconds that an external program may take.
  @Setting(.seconds) public var rewardTimeLimit = 600.0
  /// How images are drawn.
  public var sampling = SamplingSettings()
  /// How a prior is learned.
  public var find = FINDConfiguration()
  /// Images of each prompt in the grids before and after.
  @Setting(1...1_024) public var gridCount = 16
  /// The seed of the first of them; they are none that a prior is learned from.
  public var gridSeed: UInt64 = 1_000_000
  /// Iterations between checkpoints.
  @Setting(.positive) public var checkpointInterval = 1

  /// The settings that a resumed run may change.
  public static let changeableOnResume = ChangeableSettings(
    keys: ["precision", "find.iterations", "rewardTimeLimit", "checkpointInterval"],
    paths: ["model", "embeddings", "loras", "decoder", "reward", "clip"])

  /// The defaults.
  public init() {}

  /// Checks settings that depend on one another.
  public func checkRelations() throws {
    try ConfigurationError.require(
      try !RewardExpression(reward).needsCLIP || clip != nil, "clip", "nothing",
      "the folder of a CLIP model, which this reward needs (or give --clip DIR)")
  }
}

/// How images are drawn, as settings.
public struct SamplingSettings: Settings {
  /// Denoising steps.
  @Setting(1...10_000) public var stepCount = 20
  /// Classifier-free guidance scale; 1 or less turns it off.
  @Setting(0...1_000) public var guidance = 4.0
  /// The model's own if there is none.
  public var sampler: SamplerKind?
  /// Last layers of the text encoder to skip; as in diffusers, where 1 is what others call 2.
  @Setting(0...1_000) public var clipSkip = 0
  /// How much of DDPM's noise DDIM draws, 0 to 1.
  @Setting(.fraction) public var eta = 0.0
  /// How far guidance is brought back to the standard deviation of the unguided prediction, 0 to 1.
  @Setting(.fraction) public var guidanceRescale = 0.0
  /// Whether large images are decoded in tiles, which takes less memory.
  public var vaeTiling = false
  /// The maximum number of images at a time.
  @Setting(1...100_000) public var batchSize = 16
  /// Pixels in a row of each image; the model's own if there is none.
  @Setting(1...16_384) public var width: Int? = nil
  /// Rows of each image; the model's own if there is none.
  @Setting(1...16_384) public var height: Int? = nil
  /// Frames of each clip of a text-to-video model; 16 if there is none.
  @Setting(1...1_024) public var frames: Int? = nil

  /// The defaults.
  public init() {}

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
    (settings.width, settings.height, settings.frames) = (width, height, frames)
    return settings
  }
}

/// The optimization of initial noise (FIND): a prior of each prompt, and grids before and after.
public struct NoiseOptimizationJob: TrainingJob {
  /// Where it is recorded.
  public let run: Run<NoiseOptimizationSettings>
  private let find: FIND
  /// Decodes by the model itself.
  private let gridPipeline: any PromptedPipeline
  private let makesClips: Bool

  private var settings: NoiseOptimizationSettings { run.configuration }

  /// Opens model and reward and starts the optimization, or goes on with it.
  ///
  /// - Throws: what reading models and rewards throws; `ConfigurationError` for settings that do
  ///   not fit;
  ///   `RunFolderError` if model or reward are others than those of the start.
  public init(_ run: Run<NoiseOptimizationSettings>) throws {
    let settings = run.configuration
    let expression = try RewardExpression(settings.reward)
    try run.require(expression.inputs(clip: settings.clip))
    let reward = try expression.reward(
      clipFolder: settings.clip, timeLimit: settings.rewardTimeLimit)
    let opened = try GenerativeModelKind.open(
      ModelSource(
        folder: settings.model, embeddings: settings.embeddings, loras: settings.loras,
        decoder: settings.decoder), log: run.log)
    try opened.require(in: run, keys: ModelSource.Keys())
    let pipeline = opened.pipeline
    gridPipeline = try pipeline.decodingByItself()
    run.log.noteWeights(ofModel: settings.model)
    try pipeline.check(
      settings.sampling.generation, negativePrompt: settings.negativePrompt,
      samplerOption: "--sampler, or the setting sampling.sampler", log: run.log)
    run.log.warnOfCutPrompts(settings.prompts, tokenizer: pipeline.tokenizer)
    run.log.info(
      "\(settings.prompts.count.counting("prompt")), "
        + "\(settings.find.imageCount.counting("image")) of each in an iteration, run folder "
        + run.folder.path.printable)
    find = try ConfigurationError.within("find") {
      try FIND(
        pipeline, prompts: settings.prompts, negativePrompt: settings.negativePrompt,
        settings: settings.sampling.generation, reward: reward, configuration: settings.find,
        seed: settings.seed, communicator: run.communicator)
    }
    // Newer runs compare what the reward reads, wherever that lies.
    find.comparesRewards = !run.knowsInput("reward")
    if let resumed = run.resumed { try find.restore(resumed.trainingState) }
    self.run = run
    makesClips = pipeline is any ClipPipeline
  }

  /// What learns.
  public var trainer: any Trainer { find }
  /// Iterations between checkpoints.
  public var checkpointInterval: Int { settings.checkpointInterval }
  /// The setting that states how many iterations there are to be.
  public var iterationsKey: String { "find.iterations" }
  /// What it is all for.
  public var resultNoun: String { "prior" }
  /// Where the result is.
  public var resultPaths: [String] { settings.prompts.indices.map(priorPath) }

  /// Looks at what there is before the first iteration.
  public mutating func begin() throws {
    guard run.isWriting else { return }
    let grid = try grid("before", usesPriors: false)
    run.drawStart { try grid.write(in: run, name: "before") }
  }

  /// Adds evaluations that are due to a line of metrics.
  public mutating func evaluate(into record: inout MetricsRecord, isLast: Bool) throws {
    let dropped = Int(record["droppedCount"] ?? 0)
    guard dropped > 0 else { return }
    run.log.warn(
      "iteration \(record.iteration): the reward gave no finite number for "
        + "\(dropped.counting("image")), left out")
  }

  /// A few words of a line of metrics, for the line of progress.
  public func words(for record: MetricsRecord) -> String {
    "reward \(record["reward"]?.short ?? "none")"
  }

  /// Images and videos that show the present iteration, by their paths.
  public var images: [String] {
    guard find.isFinished else { return [] }
    return MediaGrid.paths(in: run, name: "after", ofClips: makesClips) + [run.imagePath("reward")]
  }

  /// Draws them, after the iteration's checkpoint.
  public mutating func drawImages() throws {
    try grid("after", usesPriors: true).write(in: run, name: "after")
    try drawCurve()
  }

  private func priorPath(_ index: Int) -> String {
    let suffix = settings.prompts.count > 1 ? "-\(index + 1)" : ""
    return "\(run.folder.path)/prior\(suffix).safetensors"
  }

  /// Writes what the training is for, as it is now.
  public func writeResults() throws {
    for (file, path) in zip(find.priorFiles, resultPaths) { try file.write(to: path) }
  }

  /// A grid of every prompt from the same fresh seeds, with its mean reward.
  private func grid(_ name: String, usesPriors: Bool) throws -> MediaGrid {
    var drawn: [Media] = []
    var lines: [String] = []
    for (index, prompt) in settings.prompts.enumerated() {
      let media = try run.times.measure("denoise") {
        try find.generate(
          prompt: index, usesPrior: usesPriors, firstSeed: settings.gridSeed,
          count: settings.gridCount, by: gridPipeline)
      }
      let scores = try run.times.measure("score") {
        try find.reward.scored(media, prompts: media.map { _ in prompt })
      }
      drawn += media
      lines.append("\(prompt) (\(name), reward \(scores.mean.map(\.short) ?? "none"))")
      run.log.info(
        "\(name): reward \(scores.mean.map(\.short) ?? "none") on fresh seeds, \(prompt)")
    }
    let request = SampleRequest(
      prompts: lines, count: settings.gridCount, seed: settings.gridSeed)
    return MediaGrid(media: drawn, request: request)
  }

  /// The rewards of all iterations as an image.
  private func drawCurve() throws {
    let records = try MetricsReader(path: run.folder.metricsPath).records
    let chart = LineChart(
      [
        .init(
          name: find.reward.name, x: records.map { Double($0.step) },
          y: records.map { $0["reward"] ?? .nan },
          spread: records.map { $0["rewardStandardError"] ?? 0 })
      ], title: "Reward while learning", xLabel: "images", yLabel: "mean reward")
    try run.write(png: Data(chart.image().pngBytes()), name: "reward")
  }
}
