import Configuration

/// What the DPPO reference (github.com/irom-princeton/dppo) calls settings, as its configuration
/// files have them: those that mean exactly what a setting here does.
package enum ReferenceNames {
  /// A name of the reference and the settings that it stands for.
  package struct Row: Sendable {
    /// The reference's, with the keys around it.
    package let name: String
    /// Of `policy pretrain`, and of `policy import` where it is the policy's; nil if there is none.
    package let pretraining: String?
    /// Of `policy finetune`; nil if there is none.
    package let fineTuning: String?

    fileprivate init(_ name: String, pretraining: String? = nil, fineTuning: String? = nil) {
      self.name = name
      self.pretraining = pretraining
      self.fineTuning = fineTuning
    }
  }

  /// All of them, in the order of the reference's files.
  package static let all: [Row] =
    [
      Row("denoising_steps", pretraining: "policy.denoising.stepCount"),
      Row("ft_denoising_steps", fineTuning: "training.fineTunedSteps"),
      Row("cond_steps", pretraining: "policy.observationSteps"),
      Row("horizon_steps", pretraining: "policy.horizonSteps"),
      Row("num_modes", pretraining: "policy.network.modes"),
      Row("act_steps", pretraining: "policy.actionSteps", fineTuning: "policy.actionSteps"),

      Row("env.n_envs", fineTuning: "training.environments"),
      Row(
        "env.max_episode_steps", pretraining: "policy.environment.parameters.timeLimit",
        fineTuning: "environmentParameters.timeLimit"),
      Row("env.reset_at_iteration", fineTuning: "training.resetsEachIteration"),

      Row("train.n_train_itr", fineTuning: "training.iterations"),
      Row("train.n_critic_warmup_itr", fineTuning: "training.criticWarmUpCount"),
      Row("train.n_steps", fineTuning: "training.rolloutSteps"),
      Row("train.gamma", fineTuning: "training.gamma"),
      Row("train.gae_lambda", fineTuning: "training.gaeLambda"),
      Row("train.reward_scale_running", fineTuning: "training.scalesRewards"),
      Row("train.reward_scale_const", fineTuning: "training.rewardFactor"),
      Row(
        "train.batch_size", pretraining: "training.batchSize", fineTuning: "training.batchSize"),
      Row("train.update_epochs", fineTuning: "training.epochs"),
      Row("train.vf_coef", fineTuning: "training.valueCoefficient"),
      Row("train.ent_coef", fineTuning: "training.entropyCoefficient"),
      Row("train.bc_loss_coeff", fineTuning: "training.bcLossCoefficient"),
      Row("train.target_kl", fineTuning: "training.targetKL"),
      Row("train.max_grad_norm", fineTuning: "training.gradientNormLimit"),
      Row("train.eta_update_interval", fineTuning: "training.etaUpdateInterval"),
      Row("train.learning_rate", pretraining: "training.learningRate"),
      Row("train.lr_scheduler.min_lr", pretraining: "training.finalLearningRate"),
      Row("train.weight_decay", pretraining: "training.weightDecay"),
      Row("train.update_ema_freq", pretraining: "training.emaInterval"),

      Row("model.gamma_denoising", fineTuning: "training.gammaDenoising"),
      Row("model.clip_ploss_coef", fineTuning: "training.clipRange"),
      Row("model.clip_ploss_coef_base", fineTuning: "training.clipRangeBase"),
      Row("model.clip_ploss_coef_rate", fineTuning: "training.clipRangeRate"),
      Row("model.clip_vloss_coef", fineTuning: "training.valueClipRange"),
      Row("model.norm_adv", fineTuning: "training.normalizesAdvantages"),
      Row(
        "model.clip_advantage_lower_quantile", fineTuning: "training.lowerAdvantageQuantile"),
      Row(
        "model.clip_advantage_upper_quantile", fineTuning: "training.upperAdvantageQuantile"),
      Row("model.ft_denoising_steps_t", fineTuning: "training.annealingInterval"),
      Row("model.ft_denoising_steps_d", fineTuning: "training.annealingStep"),
      Row(
        "model.min_sampling_denoising_std", fineTuning: "training.exploration.minSamplingStd"),
      Row(
        "model.min_logprob_denoising_std", fineTuning: "training.exploration.minLogProbStd"),
      Row("model.randn_clip_value", fineTuning: "training.exploration.noiseLimit"),
      Row("model.final_action_clip_value", fineTuning: "training.exploration.actionLimit"),
      Row("model.denoised_clip_value", pretraining: "policy.denoising.estimateLimit"),
      Row(
        "model.ddim_steps", pretraining: "policy.denoising.ddimStepCount",
        fineTuning: "policy.ddimStepCount"),
      Row("model.network.time_dim", pretraining: "policy.network.timeEmbeddingSize"),
      Row("model.network.mlp_dims", pretraining: "policy.network.hiddenSizes"),
      Row("model.network.residual_style", pretraining: "policy.network.isResidual"),
      Row("model.network.use_layernorm", pretraining: "policy.network.usesLayerNorm"),
      Row("model.critic.mlp_dims", fineTuning: "training.critic.hiddenSizes"),
      Row("model.critic.residual_style", fineTuning: "training.critic.isResidual"),
      Row("model.critic.use_layernorm", fineTuning: "training.critic.usesLayerNorm"),
    ] + ["actor", "critic", "eta"].flatMap(learningRate)

  /// The names of one learning rate and its cycles.
  private static func learningRate(_ who: String) -> [Row] {
    let rate = "training.\(who == "actor" ? "policy" : who)LearningRate"
    let scheduler = "train.\(who)_lr_scheduler"
    return [
      Row("train.\(who)_lr", fineTuning: "\(rate).maximum"),
      Row("\(scheduler).min_lr", fineTuning: "\(rate).minimum"),
      Row("\(scheduler).first_cycle_steps", fineTuning: "\(rate).cycle"),
      Row("\(scheduler).warmup_steps", fineTuning: "\(rate).warmUp"),
    ]
  }

  /// Those of `policy pretrain`.
  package static let pretraining = all.compactMap { alias($0, \.pretraining) }
  /// Those of `policy finetune`.
  package static let fineTuning = all.compactMap { alias($0, \.fineTuning) }
  /// Those of `policy import`, whose policy has the settings of a pretrained one.
  package static let importing = pretraining.filter { $0.setting.hasPrefix("policy.") }

  private static func alias(_ row: Row, _ setting: KeyPath<Row, String?>) -> SettingAlias? {
    row[keyPath: setting].map { path in
      // Parameters of an environment are a dictionary.
      SettingAlias(row.name, for: path, isEntry: path.lowercased().contains("parameters."))
    }
  }
}
