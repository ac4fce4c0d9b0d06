import Diffusion
import NeuralNetworks

/// How a text-to-image model is fine-tuned by policy gradients over all denoising steps: with
/// `klCoefficient` 0 as DDPO (Black et al., arXiv:2305.13301), above 0 as DPOK (Fan et al.,
/// arXiv:2305.16381). The names in parentheses are ddpo-pytorch's.
public struct ImageFineTuningConfiguration: Codable, Sendable, Hashable {
  /// Iterations of sampling and update (`num_epochs`).
  public var iterationCount = 100
  /// Images of each prompt in an iteration.
  public var imagesPerPrompt = 32
  /// Prompts of an iteration, drawn without replacement; 0 for all.
  public var promptsPerIteration = 0
  /// The most images that are sampled at a time.
  public var samplingBatchSize = 16

  /// Denoising steps (`sample.num_steps`).
  public var stepCount = 20
  /// Classifier-free guidance scale in sampling and in the update; 1 or less turns it off.
  public var guidance = 5.0
  /// The share of DDPM's noise in each step (`eta`): what explores.
  public var eta = 1.0
  /// The share of an image's denoising steps, drawn anew in each pass, that it is updated on
  /// (`timestep_fraction`).
  public var trainedStepFraction = 1.0

  /// How log-densities of elements, and their divergences, become one number for a step; `mean`, as
  /// in ddpo-pytorch, or `sum`.
  public var logProbabilityReduction = LogProbabilityReduction.mean
  /// The ratio of new to old probability is clipped to 1 +- this (`clip_range`).
  public var clipRange = 1e-4
  /// The weight of the divergence from the frozen model.
  public var klCoefficient = 0.0

  /// Whether advantages are divided by the deviation of their prompt's rewards, or only centered.
  public var normalizesAdvantages = true
  /// Advantages are clamped to +- this (`adv_clip_max`).
  public var advantageLimit = 5.0
  /// The last rewards of a prompt that its statistics are of (`buffer_size`).
  public var rewardBufferSize = 32
  /// A prompt with fewer rewards than this is judged by the statistics of the whole iteration
  /// (`min_count`).
  public var rewardMinimumCount = 16

  /// Passes over the images of an iteration (`num_inner_epochs`).
  public var epochCount = 1
  /// Optimizer steps in a pass; each is over an even share of the images, with all their trained
  /// denoising steps.
  public var updatesPerEpoch = 2
  /// r of low-rank changes of the attention's projections; 0 to train all weights of the U-Net.
  public var loraRank = 4
  /// Low-rank changes are scaled by this over r.
  public var loraAlpha = 4.0
  /// AdamW's.
  public var learningRate = 3e-4
  /// AdamW's (`adam_weight_decay`).
  public var weightDecay = 1e-4
  /// Gradients are scaled down to this norm (`max_grad_norm`); 0 for no limit.
  public var gradientNormLimit = 1.0

  /// ddpo-pytorch's numbers, with fewer steps and images.
  public init() {}

  /// Checks ranges.
  ///
  /// - Throws: `SettingError` naming the setting.
  public func validate() throws(SettingError) {
    let counts = [
      ("iterationCount", iterationCount), ("imagesPerPrompt", imagesPerPrompt),
      ("samplingBatchSize", samplingBatchSize), ("stepCount", stepCount),
      ("rewardBufferSize", rewardBufferSize), ("rewardMinimumCount", rewardMinimumCount),
      ("epochCount", epochCount), ("updatesPerEpoch", updatesPerEpoch),
    ]
    for (key, count) in counts {
      try SettingError.require((1...10_000_000).contains(count), key, count, "1 to 10000000")
    }
    try SettingError.require(
      promptsPerIteration >= 0, "promptsPerIteration", promptsPerIteration, "a number from 0")
    try SettingError.require((0...4_096).contains(loraRank), "loraRank", loraRank, "0 to 4096")
    for (key, share) in [("eta", eta), ("trainedStepFraction", trainedStepFraction)] {
      try SettingError.require(share > 0 && share <= 1, key, share, "above 0, up to 1")
    }
    let positive = [
      ("clipRange", clipRange), ("advantageLimit", advantageLimit), ("loraAlpha", loraAlpha),
    ]
    for (key, number) in positive {
      try SettingError.require(number > 0 && number.isFinite, key, number, "a number above 0")
    }
    let numbers = [
      ("guidance", guidance), ("klCoefficient", klCoefficient), ("learningRate", learningRate),
      ("weightDecay", weightDecay), ("gradientNormLimit", gradientNormLimit),
    ]
    for (key, number) in numbers {
      try SettingError.require(number >= 0 && number.isFinite, key, number, "a number from 0")
    }
    try SettingError.require(
      logProbabilityReduction != .perElement, "logProbabilityReduction",
      logProbabilityReduction.rawValue, "mean or sum")
  }
}
