/// PPO (Schulman et al., arXiv:1707.06347) for a Gaussian policy over action chunks: DPPO whose chains
/// have one transition, the chunk's own draw. K', its annealing, the discount of denoising steps and the
/// clip range at the noisiest step change nothing here.
public typealias GaussianPPO = DPPO<GaussianPolicy>

/// The same for a mixture of Gaussians over action chunks.
public typealias GaussianMixturePPO = DPPO<GaussianMixturePolicy>

extension PolicyAlgorithm {
  /// PPO, for policies that give the density of chunks in one step.
  public static let ppo = PolicyAlgorithm(
    name: "ppo", networks: NetworkConfiguration.Kind.allCases.filter { !$0.isDenoiser }
  ) { start in
    func trainer(_ policy: some LikelihoodPolicy) throws -> any PolicyTrainer {
      try DPPO(start, policy: policy)
    }
    return try trainer(
      try start.checkpoint.makePolicy(
        exploration: start.configuration.exploration, encoders: start.encoders))
  }
}
