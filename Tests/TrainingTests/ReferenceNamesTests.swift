import Configuration
import Testing
import Training

/// Settings under the names of the DPPO reference.
@Suite struct ReferenceNamesTests {
  private func fineTuning(
    _ yaml: String, _ overrides: String...
  ) throws -> PolicyFineTuningSettings {
    try .decode(yaml: yaml, overrides: ["checkpoint=a"] + overrides)
  }

  private func expectRefused(
    _ words: String..., sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () throws -> Void
  ) {
    let error = #expect(throws: ConfigurationError.self, sourceLocation: sourceLocation) {
      try body()
    }
    for word in words {
      #expect(
        error?.description.contains(word) == true, "\(error?.description ?? "")",
        sourceLocation: sourceLocation)
    }
  }

  /// The reference's file for Hopper, as far as it has equals here, and ours.
  @Test func referenceFilesGiveTheSameSettings() throws {
    let reference = try fineTuning(
      """
      ft_denoising_steps: 5
      act_steps: 2
      env: {n_envs: 8, max_episode_steps: 300, reset_at_iteration: true}
      train:
        n_train_itr: 7
        n_critic_warmup_itr: 2
        n_steps: 30
        gamma: 0.9
        actor_lr: 3e-4
        actor_lr_scheduler: {first_cycle_steps: 500, warmup_steps: 20, min_lr: 2e-4}
        critic_lr: 2e-3
        reward_scale_running: false
        gae_lambda: 0.8
        batch_size: 100
        update_epochs: 3
        vf_coef: 0.25
        target_kl: 2
      model:
        gamma_denoising: 0.7
        clip_ploss_coef: 0.1
        min_sampling_denoising_std: 0.2
        min_logprob_denoising_std: 0.3
        critic: {mlp_dims: [64, 64, 64]}
      """)
    let ours = try fineTuning(
      """
      policy: {actionSteps: 2}
      environmentParameters: {timeLimit: "300"}
      training:
        fineTunedSteps: 5
        environments: 8
        resetsEachIteration: true
        iterations: 7
        criticWarmUpCount: 2
        rolloutSteps: 30
        gamma: 0.9
        policyLearningRate: {maximum: 3e-4, cycle: 500, warmUp: 20, minimum: 2e-4}
        criticLearningRate: {maximum: 2e-3}
        scalesRewards: false
        gaeLambda: 0.8
        batchSize: 100
        epochs: 3
        valueCoefficient: 0.25
        targetKL: 2
        gammaDenoising: 0.7
        clipRange: 0.1
        exploration: {minSamplingStd: 0.2, minLogProbStd: 0.3}
        critic: {hiddenSizes: [64, 64, 64]}
      """)
    #expect(reference == ours)
    #expect(ours != (try fineTuning("")))
    // What is recorded has the names of settings.
    #expect(try reference.yaml() == ours.yaml())
    #expect(try !reference.yaml().contains("_"))
  }

  /// Beside the setting, or in any mapping around it.
  @Test func namesMayStandInsideTheSettings() throws {
    let expected = try fineTuning("training: {exploration: {minSamplingStd: 0.2}, rolloutSteps: 9}")
    for yaml in [
      "training: {min_sampling_denoising_std: 0.2, n_steps: 9}",
      "training: {exploration: {min_sampling_denoising_std: 0.2}}\ntrain: {n_steps: 9}",
      "min_sampling_denoising_std: 0.2\nn_steps: 9",
    ] {
      #expect(try fineTuning(yaml) == expected, "\(yaml)")
    }
    #expect(
      try fineTuning(
        "", "training.n_steps=9", "model.min_sampling_denoising_std=0.2") == expected)
    // Overrides win over the file, whichever name either has.
    #expect(
      try fineTuning(
        "training: {rolloutSteps: 1, min_sampling_denoising_std: 0.2}", "n_steps=9") == expected)
    #expect(
      try fineTuning(
        "training: {n_steps: 1, exploration: {minSamplingStd: 0.2}}", "training.rolloutSteps=9")
        == expected)
  }

  @Test func pretrainingHasItsOwn() throws {
    func decode(_ yaml: String) throws -> PolicyPretrainingSettings {
      try .decode(yaml: yaml + "\ndemonstrations: {path: a.npz}")
    }
    #expect(
      try decode(
        """
        denoising_steps: 10
        cond_steps: 2
        horizon_steps: 6
        policy: {act_steps: 3, environment: {max_episode_steps: 50}}
        train: {batch_size: 8, learning_rate: 2e-3, lr_scheduler: {min_lr: 1e-3}}
        model: {network: {mlp_dims: [32, 32, 32], residual_style: false, time_dim: 8}}
        """)
        == decode(
          """
          policy:
            observationSteps: 2
            horizonSteps: 6
            actionSteps: 3
            environment: {parameters: {timeLimit: "50"}}
            denoising: {stepCount: 10}
            network: {hiddenSizes: [32, 32, 32], isResidual: false, timeEmbeddingSize: 8}
          training: {batchSize: 8, learningRate: 2e-3, finalLearningRate: 1e-3}
          """))
  }

  @Test func twoNamesOfOneSettingAreRefused() throws {
    expectRefused("line 1: ", "'training.n_steps'", "'training.rolloutSteps', which is given too") {
      _ = try fineTuning("training: {n_steps: 5, rolloutSteps: 6}")
    }
    expectRefused("'train.n_steps'", "'training.rolloutSteps'") {
      _ = try fineTuning("training: {n_steps: 5}\ntrain: {n_steps: 5}")
    }
    expectRefused("override 'n_steps=6'", "'training.rolloutSteps'", "remove one") {
      _ = try fineTuning("", "training.rolloutSteps=5", "n_steps=6")
    }
    expectRefused("override 'training.rolloutSteps=5'", "'n_steps'") {
      _ = try fineTuning("", "n_steps=6", "training.rolloutSteps=5")
    }
    #expect(try fineTuning("", "n_steps=6", "n_steps=7").training.rolloutSteps == 7)
  }

  /// Values are checked as those of the setting; other names are refused with the right one.
  @Test func wrongNamesAndValuesAreNamed() throws {
    expectRefused("line 2: 'training.rolloutSteps': found 0") {
      _ = try fineTuning("train:\n  n_steps: 0")
    }
    expectRefused("'gae_lamda'", "did you mean 'training.gaeLambda'?") {
      _ = try fineTuning("gae_lamda: 0.9")
    }
    expectRefused("'training.gae_lambada'", "did you mean 'training.gaeLambda'?") {
      _ = try fineTuning("training: {gae_lambada: 0.9}")
    }
    expectRefused("'evaluation.target_kl'", "did you mean 'training.targetKL'?") {
      _ = try fineTuning("evaluation: {target_kl: 1}")
    }
    expectRefused("line 3: 'train.save_model_freq': is not", "docs/configuration.md") {
      _ = try fineTuning("train:\n  n_steps: 4\n  save_model_freq: 100")
    }
    // Which rate it is of is not told.
    expectRefused("'training.min_lr'", "is not a setting") {
      _ = try fineTuning("training: {min_lr: 1e-5}")
    }
    // A parameter of an environment is called as the environment says.
    #expect(
      try fineTuning("environmentParameters: {max_episode_steps: '3'}").environmentParameters
        == ["max_episode_steps": "3"])
    // A policy's horizon is that of its pretraining.
    expectRefused("'horizon_steps'", "is not a setting") {
      _ = try fineTuning("horizon_steps: 8")
    }
  }

  /// No other name is a setting's own, and every one leads to a setting.
  @Test func namesLeadToSettings() throws {
    let fineTuned = try Set(SettingDescription.all(of: PolicyFineTuningSettings()).map(\.key))
    let pretrained = try Set(SettingDescription.all(of: PolicyPretrainingSettings()).map(\.key))
    for (aliases, keys) in [
      (ReferenceNames.fineTuning, fineTuned), (ReferenceNames.pretraining, pretrained),
    ] {
      #expect(aliases.count > 15)
      for alias in aliases {
        let key =
          alias.isEntry ? String(alias.setting.dropLast(".timeLimit".count)) : alias.setting
        #expect(keys.contains(key), "\(alias.setting)")
        let places = SettingAliases(aliases).places(of: alias).map { $0.joined(separator: ".") }
        #expect(places.allSatisfy { !keys.contains($0) }, "\(places)")
      }
      #expect(Set(aliases.map(\.setting)).count == aliases.count)
    }
  }

  /// Names of 0.1.0 are refused by those that there are.
  @Test func formerNamesAreRefusedByThePresentOnes() throws {
    for (yaml, words) in [
      ("training: {discount: 0.9}", "since version 0.2.0 it is 'training.gamma'"),
      ("training: {exploration: {leastEta: 0.1}}", "'training.exploration.minEta'"),
      ("training: {decisionCount: 5}", "'training.rolloutSteps'"),
      ("evaluation: {filmedEpisodes: 0}", "'evaluation.videoEpisodes'"),
    ] {
      expectRefused(words) { _ = try fineTuning(yaml) }
    }
  }
}
