import Configuration
import Environments
import NeuralNetworks
import Tensors

extension PolicyCheckpoint {
  /// The policy of a checkpoint of the DPPO reference.
  ///
  /// - Parameters:
  ///   - checkpoint: of pretraining or fine-tuning.
  ///   - configuration: the policy; what shapes tell of its network is checked against the weights.
  ///   - normalization: of the demonstrations that it was pretrained on.
  ///   - fineTunedSteps: K' of a fine-tuned policy, which the checkpoint does not tell.
  ///   - critic: what shapes do not tell of the critic's network.
  ///   - cameras: whose images the policy sees, in the reference's order; none of a policy on states.
  ///   - average: whether to take the moving average; nil to take it if there is one.
  /// - Throws: `ReferenceCheckpointError`, `ConfigurationError` or `ParameterError` for parts that
  ///   do not fit.
  public init(
    _ checkpoint: ReferenceCheckpoint, configuration: PolicyConfiguration,
    normalization: DemonstrationNormalization, fineTunedSteps: Int,
    critic: CriticConfiguration = CriticConfiguration(), cameras: [Camera] = [],
    average: Bool? = nil
  ) throws {
    let isFineTuned = checkpoint.parts.contains(.fineTuned)
    let isDenoiser = configuration.network.kind.isDenoiser
    let part = isFineTuned ? ReferenceCheckpoint.Part.fineTuned : .pretrained
    try checkpoint.check(configuration.encoder, cameras, for: part)
    try checkpoint.check(configuration.network, for: part)
    var weights: [String: Tensor] = [:]
    func take(_ part: ReferenceCheckpoint.Part, as prefix: String) throws {
      weights.merge(
        try checkpoint.weights(for: part, average: average).prefixed(prefix)
      ) { $1 }
    }
    if isFineTuned {
      try ConfigurationError.require(
        !isDenoiser || fineTunedSteps > 0, "fineTunedSteps", fineTunedSteps,
        "the number of denoising steps that were fine-tuned (ft_denoising_steps), 10 in DPPO")
      try take(.pretrained, as: "actor")
      try take(.fineTuned, as: "actor_ft")
      if checkpoint.parts.contains(.eta) { try take(.eta, as: "eta") }
    } else {
      try take(.pretrained, as: "network")
    }
    var importedCritic: CriticConfiguration?
    if checkpoint.parts.contains(.critic) {
      try take(.critic, as: "critic")
      importedCritic = try checkpoint.critic(completing: critic).configuration
    }
    var origin = ["importedFrom": String(checkpoint.path.split(separator: "/").last ?? "")]
    if let step = checkpoint.step { origin["referenceStep"] = String(step) }
    self.init(
      configuration: configuration, normalization: normalization,
      fineTunedSteps: isFineTuned && isDenoiser ? fineTunedSteps : 0, weights: weights,
      critic: importedCritic, cameras: cameras, origin: origin)
    // Shows that everything fits together.
    _ = try makePolicy()
  }
}

extension DemonstrationNormalization {
  /// Reads the reference's `normalization.npz` for a policy of the reference, which adds 1e-6 to
  /// the ranges of observations.
  ///
  /// An observation that was constant in the data is -1 to such a policy.
  ///
  /// - Throws: as `init(contentsOf:)`.
  public init(ofReference path: String) throws {
    let plain = try DemonstrationNormalization(contentsOf: path)
    self.init(
      observations: MinMaxNormalization(
        minimum: plain.observations.minimum, maximum: plain.observations.maximum,
        rangeOffset: Self.referenceRangeOffset),
      actions: plain.actions)
  }
}
