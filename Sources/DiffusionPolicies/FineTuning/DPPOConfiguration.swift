import Configuration
import NeuralNetworks
import ReinforcementLearning

/// How DPPO improves a policy; the names in parentheses are the reference's.
public struct DPPOConfiguration: Settings {
  /// Iterations of rollout and update.
  @Setting(1...10_000_000) public var iterations = 1000
  /// Environments side by side (`n_envs`).
  @Setting(1...10_000_000) public var environments = 40
  /// Decisions in each environment and iteration (`n_steps`).
  @Setting(1...10_000_000) public var rolloutSteps = 500
  /// Whether all episodes start anew with every iteration (`reset_at_iteration`). Then a run resumes
  /// without the state of a running episode, which environments of Python cannot save: recommended
  /// for those.
  public var resetsEachIteration = false

  /// K': the denoising steps that are fine-tuned (`ft_denoising_steps`).
  @Setting(1...10_000_000) public var fineTunedSteps = 10
  /// Iterations between reductions of K' (`ft_denoising_steps_t`); 0 for none.
  @Setting(.notNegative) public var annealingInterval = 0
  /// How much K' falls each time (`ft_denoising_steps_d`), down to 1.
  @Setting(1...10_000_000) public var annealingStep = 1
  /// The noise of training.
  public var exploration = DiffusionPolicy.Exploration()

  /// Whether images are shifted and cropped at random when the policy acts to learn, as in
  /// pretraining (`policy.encoder.shift`, `policy.encoder.cropSize`): log-probabilities are those of
  /// the actions that were drawn so. Otherwise it sees them as it is evaluated.
  public var augmentsImages = false

  /// gamma between decisions (`gamma`).
  @Setting(.fraction) public var gamma = 0.99
  /// lambda of generalized advantages (`gae_lambda`).
  @Setting(.fraction) public var gaeLambda = 0.95
  /// gamma_denoise between denoising steps (`gamma_denoising`).
  @Setting(.fraction) public var gammaDenoising = 0.99
  /// Whether rewards are divided by the running standard deviation of returns
  /// (`reward_scale_running`).
  public var scalesRewards = true
  /// Rewards are multiplied by this (`reward_scale_const`).
  @Setting(.finite) public var rewardFactor = 1.0
  /// Whether advantages are normalized in each minibatch (`norm_adv`).
  public var normalizesAdvantages = true
  /// Advantages are clamped to this quantile of their minibatch from below.
  @Setting(.fraction) public var lowerAdvantageQuantile = 0.0
  /// Advantages are clamped to this quantile of their minibatch from above.
  @Setting(.fraction) public var upperAdvantageQuantile = 1.0

  /// Passes over the data of an iteration (`update_epochs`).
  @Setting(1...10_000_000) public var epochs = 5
  /// Pairs of decision and denoising step in a minibatch (`batch_size`).
  @Setting(1...10_000_000) public var batchSize = 50_000
  /// The clip range at the last denoising step (`clip_ploss_coef`).
  @Setting(.notNegative) public var clipRange = 0.01
  /// The clip range at the noisiest fine-tuned step (`clip_ploss_coef_base`).
  @Setting(.notNegative) public var clipRangeBase = 0.01
  /// The rate of the exponential between them (`clip_ploss_coef_rate`).
  @Setting(.notNegative) public var clipRangeRate = 3.0
  /// Values move no further than this in an iteration (`clip_vloss_coef`); 0 for no limit.
  @Setting(.notNegative) public var valueClipRange = 0.0
  /// The weight of the value loss (`vf_coef`).
  @Setting(.notNegative) public var valueCoefficient = 0.5
  /// The weight of the entropy (`ent_coef`).
  @Setting(.notNegative) public var entropyCoefficient = 0.0
  /// The weight of the behaviour-cloning term (`bc_loss_coeff`); 0 does not compute it.
  @Setting(.notNegative) public var bcLossCoefficient = 0.0
  /// The update stops when the approximate KL divergence passes this (`target_kl`); 0 for never.
  @Setting(.notNegative) public var targetKL = 1.0
  /// Gradients of the policy are scaled down to this norm (`max_grad_norm`); 0 for no limit.
  @Setting(.notNegative) public var gradientNormLimit = 0.0
  /// Iterations in which only the critic learns (`n_critic_warmup_itr`).
  @Setting(.notNegative) public var criticWarmUpCount = 0

  /// The policy's learning rates.
  public var policyLearningRate = CyclicLearningRate(maximum: 1e-4, minimum: 1e-4)
  /// The critic's learning rates.
  public var criticLearningRate = CyclicLearningRate(maximum: 1e-3, minimum: 1e-3)
  /// The learned eta's learning rates.
  public var etaLearningRate = CyclicLearningRate(maximum: 1e-4, minimum: 1e-4)
  /// Minibatches between steps of the learned eta (`eta_update_interval`).
  @Setting(1...10_000_000) public var etaUpdateInterval = 1
  /// AdamW's for all of them.
  @Setting(.notNegative) public var weightDecay = 0.0
  /// The critic.
  public var critic = CriticConfiguration()

  /// DPPO's numbers for Gym.
  public init() {}

  /// Quantiles are in order.
  public func checkRelations() throws {
    try ConfigurationError.require(
      upperAdvantageQuantile > lowerAdvantageQuantile, "upperAdvantageQuantile",
      upperAdvantageQuantile, "a number above lowerAdvantageQuantile and up to 1")
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
public struct CyclicLearningRate: Settings {
  /// The rate after warm-up.
  @Setting(.notNegative) public var maximum = 1e-4
  /// The rate at which cycles begin and end.
  @Setting(.notNegative) public var minimum = 1e-4
  /// Iterations in a cycle.
  @Setting(.positive) public var cycle = 1000
  /// Iterations of warm-up in a cycle.
  @Setting(.notNegative) public var warmUp = 10

  /// The same rate throughout, 1e-4.
  public init() {}

  /// Cycles of 1000 iterations.
  public init(maximum: Double, minimum: Double) {
    self.maximum = maximum
    self.minimum = minimum
  }

  /// A cycle goes from the warm-up down.
  public func checkRelations() throws {
    try ConfigurationError.require(
      maximum >= minimum, "maximum", maximum, "at least the minimum, \(minimum)")
    try ConfigurationError.require(
      cycle > warmUp, "cycle", cycle, "more than warmUp, which is \(warmUp)")
  }

  /// As a schedule.
  var schedule: LearningRateSchedule {
    .warmRestarts(
      .init(
        maximum: maximum, minimum: minimum, firstCycleStepCount: cycle, warmUpStepCount: warmUp))
  }
}
