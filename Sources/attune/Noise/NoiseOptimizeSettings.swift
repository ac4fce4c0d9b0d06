import InitialNoise
import Rewards
import Runs

/// The settings of `attune noise optimize`.
struct NoiseOptimizeSettings: RunConfiguration {
  /// Decides the noise.
  var seed: UInt64 = 0
  /// The model folder, in the layout of diffusers.
  var model = ""
  /// Files of learned tokens (textual inversion), each as FILE or TOKEN=FILE.
  var embeddings: [String] = []
  /// What to draw; each prompt gets a prior of its own.
  var prompts: [String] = []
  /// What guidance leads away from.
  var negativePrompt = ""
  /// What to optimize, such as clip or command:'PROGRAM ARGS'.
  var reward = ""
  /// The folder of the CLIP model, for rewards that need one.
  var clip: String?
  /// The seconds that an external program may take.
  var rewardTimeLimit = 600.0
  /// How pictures are drawn.
  var sampling = SamplingSettings.defaults
  /// How a prior is learned.
  var find = FINDConfiguration()
  /// Pictures of each prompt in the grids before and after.
  var gridCount = 16
  /// The seed of the first of them; they are none that a prior is learned from.
  var gridSeed: UInt64 = 1_000_000
  /// Iterations between checkpoints.
  var checkpointInterval = 1

  static let changeableOnResume = ChangeableSettings(
    keys: ["find.iterationCount", "rewardTimeLimit", "checkpointInterval"],
    paths: ["model", "reward", "clip"])

  static let defaults = NoiseOptimizeSettings()

  func validate() throws {
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
