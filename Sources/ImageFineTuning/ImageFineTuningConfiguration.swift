import Configuration
import Diffusion

/// How a model of images or clips is fine-tuned by policy gradients over all denoising steps: with
/// `klCoefficient` 0 as DDPO (Black et al., arXiv:2305.13301), above 0 as DPOK (Fan et al.,
/// arXiv:2305.16381). The names in parentheses are ddpo-pytorch's.
public struct ImageFineTuningConfiguration: Settings {
  /// Iterations of sampling and update (`num_epochs`).
  @Setting(1...10_000_000) public var iterations = 100
  /// Images of each prompt in an iteration.
  @Setting(1...10_000_000) public var imagesPerPrompt = 32
  /// Prompts of an iteration, drawn without replacement; 0 for all.
  @Setting(.notNegative) public var promptsPerIteration = 0
  /// The maximum number of images that are sampled at a time.
  @Setting(1...10_000_000) public var samplingBatchSize = 16

  /// Denoising steps (`sample.num_steps`).
  @Setting(1...10_000_000) public var stepCount = 20
  /// Classifier-free guidance scale in sampling and in the update; 1 or less turns it off.
  @Setting(.notNegative) public var guidance = 5.0
  /// The fraction of DDPM's noise in each step (`eta`): what explores.
  @Setting(.positiveFraction) public var eta = 1.0
  /// How far guidance is brought back to the standard deviation of the unguided prediction, 0 to 1,
  /// in sampling and in the update.
  @Setting(.fraction) public var guidanceRescale = 0.0
  /// Last layers of the text encoder to skip in sampling and in the update; as in diffusers, where 1
  /// is what others call 2.
  @Setting(0...1_000) public var clipSkip = 0
  /// Whether large images are decoded in tiles, which takes less memory.
  public var vaeTiling = false
  /// Frames of each clip of a text-to-video model; 16 if there is none.
  @Setting(1...1_024) public var frames: Int? = nil
  /// The fraction of an image's denoising steps, drawn anew in each pass, that it is updated on
  /// (`timestep_fraction`).
  @Setting(.positiveFraction) public var trainedStepFraction = 1.0

  /// How log-densities of elements, and their divergences, become one number for a step; `mean`, as
  /// in ddpo-pytorch, or `sum`.
  public var logProbabilityReduction = LogProbabilityReduction.mean
  /// The ratio of new to old probability is clipped to 1 +- this (`clip_range`).
  @Setting(.positive) public var clipRange = 1e-4
  /// The weight of the divergence from the frozen model.
  @Setting(.notNegative) public var klCoefficient = 0.0

  /// Whether advantages are divided by the standard deviation of their prompt's rewards, or only
  /// centered.
  public var normalizesAdvantages = true
  /// Advantages are clamped to +- this (`adv_clip_max`).
  @Setting(.positive) public var advantageLimit = 5.0
  /// The last rewards of a prompt that its statistics are of (`buffer_size`).
  @Setting(1...10_000_000) public var rewardBufferSize = 32
  /// A prompt with fewer rewards than this is evaluated by the statistics of the whole iteration
  /// (`min_count`).
  @Setting(1...10_000_000) public var rewardMinimumCount = 16

  /// Passes over the images of an iteration (`num_inner_epochs`).
  @Setting(1...10_000_000) public var epochs = 1
  /// Optimizer steps in a pass; each is over an equal part of the images, with all their trained
  /// denoising steps.
  @Setting(1...10_000_000) public var updatesPerEpoch = 2
  /// r of low-rank changes of the attention's projections; 0 to train all weights of the U-Net.
  @Setting(0...4_096) public var loraRank = 4
  /// Low-rank changes are scaled by this over r.
  @Setting(.positive) public var loraAlpha = 4.0
  /// AdamW's.
  @Setting(.notNegative) public var learningRate = 3e-4
  /// AdamW's (`adam_weight_decay`).
  @Setting(.notNegative) public var weightDecay = 1e-4
  /// Gradients are scaled down to this norm (`max_grad_norm`); 0 for no limit.
  @Setting(.notNegative) public var gradientNormLimit = 1.0

  /// ddpo-pytorch's numbers, with fewer steps and images.
  public init() {}

  /// The ratio is that of a step, not of an element.
  public func checkRelations() throws {
    try ConfigurationError.require(
      logProbabilityReduction != .perElement, "logProbabilityReduction",
      logProbabilityReduction.rawValue, "mean or sum")
  }
}
