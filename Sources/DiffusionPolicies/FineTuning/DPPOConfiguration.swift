import NeuralNetworks
import ReinforcementLearning

/// How DPPO improves a policy; the names in parentheses are the reference's.
public struct DPPOConfiguration: Codable, Sendable, Hashable {
  /// Iterations of rollout and update.
  public var iterationCount = 1000
  /// Environments side by side (`n_envs`).
  public var environmentCount = 40
  /// Decisions in each environment and iteration (`n_steps`).
  public var decisionCount = 500
  /// Whether all episodes start anew with every iteration (`reset_at_iteration`).
  public var startsEpisodesAnew = false

  /// K': the denoising steps that are fine-tuned (`ft_denoising_steps`).
  public var fineTunedCount = 10
  /// Iterations between reductions of K' (`ft_denoising_steps_t`); 0 for none.
  public var annealingInterval = 0
  /// How much K' falls each time (`ft_denoising_steps_d`), down to 1.
  public var annealingStep = 1
  /// The noise of training.
  public var exploration = DiffusionPolicy.Exploration()

  /// gamma between decisions (`gamma`).
  public var discount = 0.99
  /// lambda of generalized advantages (`gae_lambda`).
  public var traceDecay = 0.95
  /// gamma_denoise between denoising steps (`gamma_denoising`).
  public var denoisingDiscount = 0.99
  /// Whether rewards are divided by the running deviation of returns (`reward_scale_running`).
  public var scalesRewards = true
  /// Rewards are multiplied by this (`reward_scale_const`).
  public var rewardFactor = 1.0
  /// Whether advantages are normalized in each minibatch (`norm_adv`).
  public var normalizesAdvantages = true
  /// Advantages are clamped to this quantile of their minibatch from below.
  public var lowerAdvantageQuantile = 0.0
  /// Advantages are clamped to this quantile of their minibatch from above.
  public var upperAdvantageQuantile = 1.0

  /// Passes over the data of an iteration (`update_epochs`).
  public var epochCount = 5
  /// Pairs of decision and denoising step in a minibatch (`batch_size`).
  public var batchSize = 50_000
  /// The clip range at the last denoising step (`clip_ploss_coef`).
  public var clipRange = 0.01
  /// The clip range at the noisiest fine-tuned step (`clip_ploss_coef_base`).
  public var clipRangeBase = 0.01
  /// The rate of the exponential between them (`clip_ploss_coef_rate`).
  public var clipRangeRate = 3.0
  /// Values move no further than this in an iteration (`clip_vloss_coef`); 0 for no limit.
  public var valueClipRange = 0.0
  /// The weight of the value loss (`vf_coef`).
  public var valueCoefficient = 0.5
  /// The weight of the entropy (`ent_coef`).
  public var entropyCoefficient = 0.0
  /// The weight of the behaviour-cloning term (`bc_loss_coeff`); 0 does not compute it.
  public var cloningCoefficient = 0.0
  /// The update stops when the approximate KL divergence passes this (`target_kl`); 0 for never.
  public var divergenceLimit = 1.0
  /// Gradients of the policy are scaled down to this norm (`max_grad_norm`); 0 for no limit.
  public var gradientNormLimit = 0.0
  /// Iterations in which only the critic learns (`n_critic_warmup_itr`).
  public var criticWarmUpCount = 0

  /// The policy's learning rates.
  public var policyLearningRate = CyclicLearningRate(maximum: 1e-4, minimum: 1e-4)
  /// The critic's learning rates.
  public var criticLearningRate = CyclicLearningRate(maximum: 1e-3, minimum: 1e-3)
  /// The learned eta's learning rates.
  public var etaLearningRate = CyclicLearningRate(maximum: 1e-4, minimum: 1e-4)
  /// Minibatches between steps of the learned eta (`eta_update_interval`).
  public var etaUpdateInterval = 1
  /// AdamW's for all of them.
  public var weightDecay = 0.0
  /// The critic.
  public var critic = CriticConfiguration()

  /// DPPO's numbers for Gym.
  public init() {}

  /// Checks ranges.
  ///
  /// - Throws: `SettingError` naming the setting.
  public func validate() throws {
    let counts = [
      ("iterationCount", iterationCount), ("environmentCount", environmentCount),
      ("decisionCount", decisionCount), ("fineTunedCount", fineTunedCount),
      ("annealingStep", annealingStep), ("epochCount", epochCount), ("batchSize", batchSize),
      ("etaUpdateInterval", etaUpdateInterval),
    ]
    for (key, count) in counts {
      try SettingError.require((1...10_000_000).contains(count), key, count, "1 to 10000000")
    }
    let intervals = [
      ("annealingInterval", annealingInterval), ("criticWarmUpCount", criticWarmUpCount),
    ]
    for (key, count) in intervals {
      try SettingError.require(count >= 0, key, count, "a number from 0")
    }
    let shares = [
      ("discount", discount), ("traceDecay", traceDecay),
      ("denoisingDiscount", denoisingDiscount),
      ("lowerAdvantageQuantile", lowerAdvantageQuantile),
    ]
    for (key, share) in shares {
      try SettingError.require((0...1).contains(share), key, share, "0 to 1")
    }
    try SettingError.require(
      upperAdvantageQuantile <= 1 && upperAdvantageQuantile > lowerAdvantageQuantile,
      "upperAdvantageQuantile", upperAdvantageQuantile,
      "a number above lowerAdvantageQuantile and up to 1")
    let numbers = [
      ("clipRange", clipRange), ("clipRangeBase", clipRangeBase),
      ("clipRangeRate", clipRangeRate), ("valueClipRange", valueClipRange),
      ("valueCoefficient", valueCoefficient), ("entropyCoefficient", entropyCoefficient),
      ("cloningCoefficient", cloningCoefficient), ("divergenceLimit", divergenceLimit),
      ("gradientNormLimit", gradientNormLimit), ("weightDecay", weightDecay),
    ]
    for (key, number) in numbers {
      try SettingError.require(number >= 0 && number.isFinite, key, number, "a number from 0")
    }
    try SettingError.require(rewardFactor.isFinite, "rewardFactor", rewardFactor, "a number")
    let rates = [
      ("policyLearningRate", policyLearningRate), ("criticLearningRate", criticLearningRate),
      ("etaLearningRate", etaLearningRate),
    ]
    for (key, rate) in rates { try SettingError.within(key) { try rate.validate() } }
    try SettingError.within("exploration") { try exploration.validate() }
    try SettingError.within("critic") { try critic.validate() }
  }

  var clipSchedule: ClipSchedule {
    ClipSchedule(base: Float(clipRangeBase), top: Float(clipRange), rate: Float(clipRangeRate))
  }

  var advantageScaling: AdvantageScaling {
    AdvantageScaling(
      isNormalized: normalizesAdvantages,
      quantiles: lowerAdvantageQuantile...upperAdvantageQuantile)
  }
}

/// Cycles of linear warm-up and cosine decay, counted in iterations; constant where both ends are
/// equal.
public struct CyclicLearningRate: Codable, Sendable, Hashable {
  /// The rate after warm-up.
  public var maximum: Double
  /// The rate at which cycles begin and end.
  public var minimum: Double
  /// Iterations in a cycle.
  public var cycle = 1000
  /// Iterations of warm-up in a cycle.
  public var warmUp = 10

  /// Cycles of 1000 iterations.
  public init(maximum: Double, minimum: Double) {
    self.maximum = maximum
    self.minimum = minimum
  }

  func validate() throws(SettingError) {
    try SettingError.require(
      minimum >= 0 && minimum.isFinite, "minimum", minimum, "a number from 0")
    try SettingError.require(
      maximum >= minimum && maximum.isFinite, "maximum", maximum,
      "at least the minimum, \(minimum)")
    try SettingError.require(warmUp >= 0, "warmUp", warmUp, "a number from 0")
    try SettingError.require(
      cycle > warmUp, "cycle", cycle, "more than warmUp, which is \(warmUp)")
  }

  /// As a schedule.
  var schedule: LearningRateSchedule {
    .warmRestarts(
      .init(
        maximum: maximum, minimum: minimum, firstCycleStepCount: cycle, warmUpStepCount: warmUp))
  }
}
