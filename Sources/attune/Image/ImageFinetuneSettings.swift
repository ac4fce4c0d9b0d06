import ImageFineTuning
import Media
import Rewards
import Runs
import TextToImage

/// The settings of `attune image finetune`.
struct ImageFinetuneSettings: RunConfiguration {
  /// Decides the first low-rank changes, noise and minibatches.
  var seed: UInt64 = 0
  /// The folder of the model to start from.
  var model = ""
  /// What images are drawn for.
  var prompts: [String] = []
  /// What is improved: a reward, or a weighted sum of rewards.
  var reward = "clip"
  /// The folder of the CLIP model, for rewards that need one.
  var clip: String?
  /// The seconds that an external program may take for the images of an iteration.
  var rewardTimeLimit = 600.0
  /// How it is improved.
  var training = ImageFineTuningConfiguration()
  /// How it is judged on the way.
  var evaluation = ImageEvaluationSettings.defaults
  /// The numbers in the files of the model folder.
  var weightType = WeightType.float32
  /// Iterations between checkpoints.
  var checkpointInterval = 5

  static let changeableOnResume = ChangeableSettings(
    keys: [
      "training.iterationCount", "training.learningRate", "training.gradientNormLimit",
      "evaluation.interval", "evaluation.count", "rewardTimeLimit", "weightType",
      "checkpointInterval",
    ], paths: ["model", "reward", "clip"])

  static let defaults = ImageFinetuneSettings()

  func validate() throws {
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
struct ImageEvaluationSettings: RunConfiguration {
  /// Iterations between evaluations; 0 for the start and the end only.
  var interval = 10
  /// Images of each prompt.
  var count = 8
  /// Of the first image of each prompt.
  var seed: UInt64 = 1_000_000

  static let defaults = ImageEvaluationSettings()

  func validate() throws {
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
