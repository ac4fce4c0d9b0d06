import Foundation
import GenerativeModels
import ImageFineTuning
import Media
import NeuralNetworks
import Rewards
import Runs
import TextToImage

/// The settings of `attune image finetune`.
public struct ImageFineTuningSettings: RunConfiguration {
  /// Decides the first low-rank changes, noise and minibatches.
  public var seed: UInt64 = 0
  /// The folder of the model to start from.
  public var model = ""
  /// What images are drawn for.
  public var prompts: [String] = []
  /// What is improved: a reward, or a weighted sum of rewards.
  public var reward = "clip"
  /// The folder of the CLIP model, for rewards that need one.
  public var clip: String?
  /// The seconds that an external program may take for the images of an iteration.
  public var rewardTimeLimit = 600.0
  /// How it is improved.
  public var training = ImageFineTuningConfiguration()
  /// How it is judged on the way.
  public var evaluation = ImageEvaluationSettings.defaults
  /// The numbers in the files of the model folder.
  public var weightType = WeightType.float32
  /// Iterations between checkpoints.
  public var checkpointInterval = 5

  /// What may be changed when a run is resumed.
  public static let changeableOnResume = ChangeableSettings(
    keys: [
      "training.iterationCount", "training.learningRate", "training.gradientNormLimit",
      "evaluation.interval", "evaluation.count", "rewardTimeLimit", "weightType",
      "checkpointInterval",
    ], paths: ["model", "reward", "clip"])

  /// What holds where nothing else is set.
  public static let defaults = ImageFineTuningSettings()

  /// Checks ranges.
  public func validate() throws {
    try checking("training", training.validate)
    func require(_ isSound: Bool, _ key: String, _ found: String, _ expected: String) throws {
      guard isSound else {
        throw ConfigurationError.badValue(key: key, found: found, expected: expected)
      }
    }
    try require(
      !model.isEmpty, "model", "nothing", "the path of a model folder (or give --model DIR)")
    try require(
      !prompts.isEmpty, "prompts", "none", "at least one prompt (or give --prompt TEXT)")
    try require(
      training.promptsPerIteration <= prompts.count, "training.promptsPerIteration",
      "\(training.promptsPerIteration)", "up to the number of prompts, \(prompts.count)")
    let expression = try RewardExpression(reward)
    try require(
      !expression.needsCLIP || clip != nil, "clip", "nothing",
      "the folder of a CLIP model, which this reward needs (or give --clip DIR)")
    try require(
      rewardTimeLimit > 0 && rewardTimeLimit <= 1e6, "rewardTimeLimit", "\(rewardTimeLimit)",
      "seconds above 0")
    try require(
      checkpointInterval > 0, "checkpointInterval", "\(checkpointInterval)", "a number above 0")
  }

  /// The judge.
  func makeReward() throws -> any Reward {
    try RewardExpression(reward).reward(clipFolder: clip, timeLimit: rewardTimeLimit)
  }
}

/// How a model is judged while it is fine-tuned: on images that no update sees, always of the same
/// seeds, drawn as in training.
public struct ImageEvaluationSettings: RunConfiguration {
  /// Iterations between evaluations; 0 for the start and the end only.
  public var interval = 10
  /// Images of each prompt.
  public var count = 8
  /// Of the first image of each prompt.
  public var seed: UInt64 = 1_000_000

  /// What holds where nothing else is set.
  public static let defaults = ImageEvaluationSettings()

  /// Checks ranges.
  public func validate() throws {
    if interval < 0 {
      throw ConfigurationError.badValue(
        key: "interval", found: "\(interval)", expected: "a number from 0")
    }
    if !(1...1_000).contains(count) {
      throw ConfigurationError.badValue(key: "count", found: "\(count)", expected: "1 to 1000")
    }
  }

  /// Whether it is time after that iteration.
  func isDue(after iteration: Int) -> Bool { interval > 0 && iteration.isMultiple(of: interval) }

  /// Draws and judges.
  func evaluate(
    _ training: ImageFineTuning, reward: any Reward
  ) throws -> (grid: ImageGrid, scores: RewardScores) {
    let request = SampleRequest(prompts: training.prompts, count: count, seed: seed)
    let images = try TextToImagePipeline(training.model).images(
      prompts: request.imagePrompts, seeds: request.imageSeeds, settings: training.settings)
    let pictures = Image.batch(images, range: .zeroToOne)
    return (
      request.grid(pictures, magnification: nil),
      try reward.judged(pictures, prompts: request.imagePrompts)
    )
  }
}

/// The fine-tuning of a text-to-image model by a reward: iterations, evaluations on fresh seeds and the
/// model folder.
public struct ImageFineTuningJob: TrainingJob {
  /// Where it is recorded.
  public let run: Run<ImageFineTuningSettings>
  /// What learns.
  public let training: ImageFineTuning
  private let reward: any Reward
  /// The reward on fresh seeds before the first iteration.
  private var rewardBefore: String?
  private static let beforeKey = "run.rewardBefore"
  /// What the last evaluation drew, until it is written.
  private var evaluated: (iteration: Int, grid: ImageGrid)?

  /// Opens model and reward and starts the training, or goes on with it.
  ///
  /// - Throws: what reading models and rewards throws; `ConfigurationError` for settings that do not
  ///   fit; `RunFolderError` if model or reward are others than those of the start.
  public init(_ run: Run<ImageFineTuningSettings>) throws {
    let settings = run.configuration
    try run.require(RewardExpression(settings.reward).inputs(clip: settings.clip))
    let reward = try settings.makeReward()
    let model = try TextToImageModel(folder: settings.model)
    try run.require([
      RunInput(key: "model", path: settings.model, fingerprint: model.fingerprint)
    ])
    run.log.noteWeights(ofModel: settings.model)
    run.log.warnOfCutPrompts(settings.prompts, tokenizer: model.tokenizer)
    let training = try settings.checking("training") {
      try ImageFineTuning(
        model: model, configuration: settings.training, prompts: settings.prompts, reward: reward,
        seed: settings.seed)
    }
    if let resumed = run.resumed { try training.restore(resumed.trainingState) }
    run.log.say(
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
  /// The setting that says how many iterations there are to be.
  public var iterationsKey: String { "training.iterationCount" }
  /// What it is all for.
  public var resultNoun: String { "model" }
  /// Where that is.
  public var resultPaths: [String] { [modelFolder] }
  private var modelFolder: String { "\(run.folder.path)/model" }

  /// Looks at what there is before the first iteration.
  public mutating func begin() throws {
    let (grid, scores) = try evaluation()
    run.drawStart { try run.write(png: Data(grid.rendered().pngBytes()), name: "before") }
    rewardBefore = scores.words
    run.log.say("reward on fresh seeds: \(scores.words)")
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
    run.log.say(
      "iteration \(iteration.grouped): reward on fresh seeds \(scores.words)\(before)")
  }

  /// A few words for the line of progress.
  public func words(for record: MetricsRecord) -> String {
    func short(_ name: String) -> String { (record[name] ?? .nan).short }
    return "reward \(short("reward")) +- \(short("rewardStandardError")), KL "
      + "\(short("klDivergence")), clipped \(((record["clipFraction"] ?? 0) * 100).short)%"
  }

  private var isEvaluated: Bool {
    training.isFinished || run.configuration.evaluation.isDue(after: training.iteration)
  }

  /// Images and videos that show the present iteration.
  public var images: [String] { isEvaluated ? [run.imagePath("after")] : [] }

  /// Draws them.
  public mutating func drawImages() throws {
    var grid = evaluated?.iteration == training.iteration ? evaluated?.grid : nil
    evaluated = nil
    if grid == nil { grid = try evaluation().grid }
    if let grid { try run.write(png: Data(grid.rendered().pngBytes()), name: "after") }
  }

  /// Draws a grid from fresh seeds and scores it.
  private func evaluation() throws -> (grid: ImageGrid, scores: RewardScores) {
    try run.times.measure("evaluate") {
      try run.configuration.evaluation.evaluate(training, reward: reward)
    }
  }

  /// All that is needed to go on from here.
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
