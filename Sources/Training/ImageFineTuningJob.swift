import Configuration
import Foundation
import GenerativeModels
import ImageFineTuning
import Media
import NeuralNetworks
import Rewards
import Runs
import Tensors
import TextToImage

/// The settings of `attune image finetune`.
public struct ImageFineTuningSettings: RunConfiguration {
  /// Decides the first low-rank changes, noise and minibatches; -1 for a random seed, which
  /// `config.yaml` tells.
  public var seed: UInt64 = 0
  /// The precision of matrix products: `highest` is in 32-bit floats, `high` near them, and `medium`
  /// in bfloat16; where the processor has no instructions for one, it is computed as `highest`.
  public var precision = Precision.highest
  /// The folder of the model to start from.
  @Setting(.required("the path of a model folder (or give --model DIR)"))
  public var model = ""
  /// Files of learned tokens (textual inversion), each as FILE or TOKEN=FILE; the improved model has
  /// them too.
  public var embeddings: [String] = []
  /// Files of low-rank changes (LoRA), each as FILE or FILE:SCALE, that are added to the weights that
  /// the training starts from.
  public var loras: [String] = []
  /// What images are drawn for.
  @Setting(.required("at least one prompt (or give --prompt TEXT)"))
  public var prompts: [String] = []
  /// What is improved: a reward, or a weighted sum of rewards.
  public var reward = "clip"
  /// The folder of the CLIP model, for rewards that need one.
  public var clip: String?
  /// The seconds that an external program may take for the images of an iteration.
  @Setting(.seconds) public var rewardTimeLimit = 600.0
  /// How it is improved.
  public var training = ImageFineTuningConfiguration()
  /// How it is evaluated on the way.
  public var evaluation = ImageEvaluationSettings()
  /// The numbers in the files of the model folder.
  public var weightType = WeightType.float32
  /// Iterations between checkpoints.
  @Setting(.positive) public var checkpointInterval = 5

  /// The settings that a resumed run may change.
  public static let changeableOnResume = ChangeableSettings(
    keys: [
      "precision", "training.iterations", "training.learningRate", "training.gradientNormLimit",
      "evaluation.interval", "evaluation.count", "rewardTimeLimit", "weightType",
      "checkpointInterval",
    ], paths: ["model", "embeddings", "loras", "reward", "clip"])

  /// The defaults.
  public init() {}

  /// Checks settings that depend on one another.
  public func checkRelations() throws {
    try ConfigurationError.require(
      training.promptsPerIteration <= prompts.count, "training.promptsPerIteration",
      training.promptsPerIteration, "up to the number of prompts, \(prompts.count)")
    try ConfigurationError.require(
      try !RewardExpression(reward).needsCLIP || clip != nil, "clip", "nothing",
      "the folder of a CLIP model, which this reward needs (or give --clip DIR)")
  }

  /// The reward.
  func makeReward() throws -> any Reward {
    try RewardExpression(reward).reward(clipFolder: clip, timeLimit: rewardTimeLimit)
  }
}

/// How a model is evaluated while it is fine-tuned: on images that no update sees, always of the
/// same seeds, drawn as in training.
public struct ImageEvaluationSettings: Settings {
  /// Iterations between evaluations; 0 for the start and the end only.
  @Setting(.notNegative) public var interval = 10
  /// Images of each prompt.
  @Setting(1...1_000) public var count = 8
  /// Of the first image of each prompt.
  public var seed: UInt64 = 1_000_000

  /// The defaults.
  public init() {}

  /// Whether it is time after that iteration.
  func isDue(after iteration: Int) -> Bool { interval > 0 && iteration.isMultiple(of: interval) }

  /// Draws and scores.
  func evaluate<Pipeline>(
    _ training: PromptedFineTuning<Pipeline>, reward: any Reward
  ) throws -> (grid: MediaGrid, scores: RewardScores) {
    let request = SampleRequest(prompts: training.prompts, count: count, seed: seed)
    let media = try Pipeline(training.model).generate(
      prompts: request.imagePrompts, seeds: request.imageSeeds, settings: training.settings)
    return (
      MediaGrid(media: media, request: request),
      try reward.scored(media, prompts: request.imagePrompts)
    )
  }
}

/// The fine-tuning of a text-to-image model.
public typealias ImageFineTuningJob = PromptedFineTuningJob<TextToImagePipeline>

/// The fine-tuning of a model of images or clips by a reward: iterations, evaluations on fresh seeds
/// and the model folder.
public struct PromptedFineTuningJob<Pipeline: PromptedPipeline>: TrainingJob {
  /// Where it is recorded.
  public let run: Run<ImageFineTuningSettings>
  /// What learns.
  public let training: PromptedFineTuning<Pipeline>
  private let reward: any Reward
  /// The reward on fresh seeds before the first iteration.
  private var rewardBefore: String?
  private static var beforeKey: String { "run.rewardBefore" }
  /// What the last evaluation drew, until it is written.
  private var evaluated: (iteration: Int, grid: MediaGrid)?

  /// Opens model and reward and starts the training, or goes on with it.
  ///
  /// - Throws: what reading models and rewards throws; `ConfigurationError` for settings that do
  ///   not fit; `RunFolderError` if model or reward are others than those of the start.
  public init(_ run: Run<ImageFineTuningSettings>) throws {
    let settings = run.configuration
    try run.require(RewardExpression(settings.reward).inputs(clip: settings.clip))
    let reward = try settings.makeReward()
    let sourced = try SourcedModel<Pipeline.Network>(
      ModelSource(
        folder: settings.model, embeddings: settings.embeddings, loras: settings.loras),
      log: run.log)
    try sourced.require(in: run, keys: ModelSource.Keys())
    let model = sourced.model
    run.log.noteWeights(ofModel: settings.model)
    run.log.warnOfCutPrompts(settings.prompts, tokenizer: model.tokenizer)
    let training = try ConfigurationError.within("training") {
      try PromptedFineTuning<Pipeline>(
        model: model, configuration: settings.training, prompts: settings.prompts, reward: reward,
        seed: settings.seed, communicator: run.communicator)
    }
    try Pipeline(model).check(training.settings, log: run.log)
    if let resumed = run.resumed { try training.restore(resumed.trainingState) }
    run.log.info(
      "\(training.parameterCount.counting("weight")), "
        + "\(settings.prompts.count.counting("prompt")), run folder \(run.folder.path)")
    self.run = run
    self.training = training
    self.reward = reward
    rewardBefore = run.resumed?.metadata[Self.beforeKey]
  }

  /// What learns.
  public var trainer: any Trainer { training }
  /// Iterations between checkpoints.
  public var checkpointInterval: Int { run.configuration.checkpointInterval }
  /// The setting that states how many iterations there are to be.
  public var iterationsKey: String { "training.iterations" }
  /// What it is all for.
  public var resultNoun: String { "model" }
  /// Where the result is.
  public var resultPaths: [String] { [modelFolder] }
  private var modelFolder: String { "\(run.folder.path)/model" }

  /// Looks at what there is before the first iteration.
  public mutating func begin() throws {
    let (grid, scores) = try evaluation()
    run.drawStart { try grid.write(in: run, name: "before") }
    rewardBefore = scores.words
    run.log.info("reward on fresh seeds: \(scores.words)")
  }

  /// Adds evaluations that are due to a line of metrics.
  public mutating func evaluate(into record: inout MetricsRecord, isLast: Bool) throws {
    let iteration = training.iteration
    let dropped = Int(record["droppedImages"] ?? 0)
    if dropped > 0 {
      run.log.warn(
        "iteration \(iteration): \(dropped.counting("image")) without a finite reward left out")
    }
    guard isEvaluated else { return }
    let (grid, scores) = try evaluation()
    evaluated = (iteration, grid)
    record["evaluationReward"] = scores.mean ?? .nan
    record["evaluationRewardStandardError"] = scores.standardError
    let before = rewardBefore.map { ", before \($0)" } ?? ""
    run.log.info(
      "iteration \(iteration.grouped): reward on fresh seeds \(scores.words)\(before)")
  }

  /// A few words of a line of metrics, for the line of progress.
  public func words(for record: MetricsRecord) -> String {
    func short(_ name: String) -> String { (record[name] ?? .nan).short }
    return "reward \(short("reward")) +- \(short("rewardStandardError")), KL "
      + "\(short("klDivergence")), clipped \(((record["clipFraction"] ?? 0) * 100).short)%"
  }

  private var isEvaluated: Bool {
    training.isFinished || run.configuration.evaluation.isDue(after: training.iteration)
  }

  /// Images and videos that show the present iteration, by their paths.
  public var images: [String] {
    guard isEvaluated else { return [] }
    return MediaGrid.paths(in: run, name: "after", ofClips: Pipeline.Network.hasFrames)
  }

  /// Draws them, after the iteration's checkpoint.
  public mutating func drawImages() throws {
    var grid = evaluated?.iteration == training.iteration ? evaluated?.grid : nil
    evaluated = nil
    if grid == nil { grid = try evaluation().grid }
    try grid?.write(in: run, name: "after")
  }

  /// Draws a grid from fresh seeds and scores it.
  private func evaluation() throws -> (grid: MediaGrid, scores: RewardScores) {
    try run.times.measure("evaluate") {
      try run.configuration.evaluation.evaluate(training, reward: reward)
    }
  }

  /// All that is needed to continue from here.
  public func checkpoint() throws -> Checkpoint {
    var checkpoint = Checkpoint(iteration: training.iteration)
    checkpoint.add(try training.trainingState())
    checkpoint.metadata[Self.beforeKey] = rewardBefore
    return checkpoint
  }

  /// Writes what the training is for, as it is now.
  public func writeResults() throws {
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
