/// PPO (Schulman et al., arXiv:1707.06347) for a Gaussian policy over action chunks: DPPO whose chains
/// have one transition, the chunk's own draw. K', its annealing, the discount of denoising steps and the
/// clip range at the noisiest step change nothing here.
public typealias GaussianPPO = DPPO<GaussianPolicy>

extension PolicyAlgorithm {
  /// PPO, for Gaussian policies.
  public static let ppo = PolicyAlgorithm(name: "ppo", networks: [.gaussian]) { start in
    let policy = try start.checkpoint.makeGaussianPolicy(
      exploration: start.configuration.exploration, encoders: start.encoders)
    return try GaussianPPO(start, policy: policy)
  }
}
