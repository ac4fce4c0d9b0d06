import Configuration
import Tensors

/// What a policy acts in, sees, gives and is made of; kept in its checkpoints.
public struct PolicyConfiguration: Settings {
  /// The environment that it acts in.
  public var environment = EnvironmentConfiguration()
  /// To: the latest observations that a decision sees.
  @Setting(1...1000) public var observationSteps = 1
  /// Tp: the actions that a decision predicts.
  @Setting(1...1000) public var horizonSteps = 4
  /// Ta: the actions of them that are executed before the next decision.
  @Setting(1...1000) public var actionSteps = 4
  /// What reads the observations for the network.
  public var encoder = EncoderConfiguration()
  /// The network.
  public var network = NetworkConfiguration()
  /// How chunks are denoised; without meaning for a Gaussian policy or a mixture.
  public var denoising = DenoisingConfiguration()

  /// DPPO's policy for Gym.
  public init() {}

  /// What is executed was predicted, and the network fits the chunk.
  public func checkRelations() throws {
    try ConfigurationError.require(
      actionSteps <= horizonSteps, "actionSteps", actionSteps,
      "1 to horizonSteps, which is \(horizonSteps)")
    try ConfigurationError.within("network") {
      try network.check(horizonSteps: horizonSteps)
    }
  }
}

extension PolicyConfiguration {
  /// A diffusion policy's network behind its encoder.
  ///
  /// - Throws: `ConfigurationError` if the configuration cannot make one.
  public func makeDenoiser(
    _ layout: ObservationLayout, actionSize: Int,
    encoders: ObservationEncoderRegistry = .standard, random: inout RandomStream
  ) throws -> ObservingDenoiser {
    let encoder = try makeEncoder(layout, encoders: encoders, random: &random)
    return ObservingDenoiser(
      encoder,
      try network.makeDenoiser(
        actionSize: actionSize, horizonSteps: horizonSteps,
        conditionSize: encoder.encodingSize, random: &random))
  }

  /// The network of a policy whose density is explicit, behind its encoder.
  ///
  /// - Parameter type: the network of this kind.
  /// - Throws: `ConfigurationError` if the configuration cannot make one.
  public func makeDensityNetwork<Network: DensityNetwork>(
    _ type: Network.Type, _ layout: ObservationLayout, actionSize: Int,
    encoders: ObservationEncoderRegistry = .standard, random: inout RandomStream
  ) throws -> ObservingDensityNetwork<Network> {
    let encoder = try makeEncoder(layout, encoders: encoders, random: &random)
    return ObservingDensityNetwork(
      encoder,
      try network.makeDensityNetwork(
        type, actionSize: actionSize, horizonSteps: horizonSteps,
        conditionSize: encoder.encodingSize, random: &random))
  }

  /// What reads the observations; it does not learn where the configuration does not train it.
  private func makeEncoder(
    _ layout: ObservationLayout, encoders: ObservationEncoderRegistry, random: inout RandomStream
  ) throws -> any ObservationEncoder {
    let made = try encoders.make(encoder, layout, random: &random)
    if !encoder.trained { made.freeze() }
    return made
  }

  /// A critic behind an encoder of the same kind, which learns, or behind the policy's.
  ///
  /// - Throws: `ConfigurationError` if the configurations cannot make one.
  public func makeCritic(
    _ critic: CriticConfiguration, _ layout: ObservationLayout,
    encoders: ObservationEncoderRegistry = .standard, random: inout RandomStream
  ) throws -> ObservingCritic {
    let own = try encoders.make(encoder, layout, random: &random)
    let made = try critic.makeCritic(conditionSize: own.encodingSize, random: &random)
    return ObservingCritic(critic.sharesEncoder ? nil : own, made)
  }
}

/// An environment by name.
public struct EnvironmentConfiguration: Settings {
  /// As `attune environment list` shows it; `none` for a robot that Attune does not simulate, whose
  /// policies learn from demonstrations and are compared by their validation loss.
  public var name = "hopper"
  /// Its parameters, such as `timeLimit`, written as text.
  public var parameters: [String: String] = [:]

  /// Hopper as it is.
  public init() {}

  /// Whether there is nothing to act in: the name is `none`, or empty.
  public var isNone: Bool { ["", "none"].contains(name) }
}

/// The chain from noise to an action chunk.
public struct DenoisingConfiguration: Settings {
  /// The ways to denoise.
  public enum Sampler: String, Codable, Sendable, CaseIterable {
    /// All K steps.
    case ddpm
    /// `ddimStepCount` of them.
    case ddim
  }

  /// K: the noise levels of training.
  @Setting(2...10_000) public var stepCount = 20
  /// How chunks are sampled.
  public var sampler = Sampler.ddpm
  /// The denoising steps of DDIM.
  @Setting(.positive) public var ddimStepCount = 5
  /// The fraction of DDPM's noise that DDIM draws when a policy is evaluated or used, 0 to 1; 0 in
  /// the reference. In fine-tuning `exploration.eta` decides.
  @Setting(.fraction) public var ddimEta: Float = 0
  /// Estimates of the clean chunk are clamped to +- this.
  @Setting(.positive) public var estimateLimit: Float = 1

  /// 20 steps of DDPM.
  public init() {}

  /// The number of runs of the network for a chunk.
  public var transitionCount: Int { sampler == .ddpm ? stepCount : ddimStepCount }

  /// DDIM takes some of the steps.
  public func checkRelations() throws {
    try ConfigurationError.require(
      sampler == .ddpm || ddimStepCount <= stepCount, "ddimStepCount", ddimStepCount,
      "1 to stepCount, which is \(stepCount)")
  }
}
