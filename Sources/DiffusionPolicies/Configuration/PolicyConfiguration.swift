import NeuralNetworks

/// What a policy acts in, sees, gives and is made of; kept in its checkpoints.
public struct PolicyConfiguration: Codable, Sendable, Hashable {
  /// The environment that it acts in.
  public var environment = EnvironmentConfiguration()
  /// To: the latest observations that a decision sees.
  public var observationCount = 1
  /// Tp: the actions that a decision predicts.
  public var predictionCount = 4
  /// Ta: the actions of them that are executed before the next decision.
  public var executedCount = 4
  /// The network.
  public var network = NetworkConfiguration()
  /// How chunks are denoised; without meaning for a Gaussian policy.
  public var denoising = DenoisingConfiguration()

  /// DPPO's policy for Gym.
  public init() {}

  /// Checks ranges.
  ///
  /// - Throws: `SettingError` naming the setting.
  public func validate() throws {
    try SettingError.require(
      (1...1000).contains(observationCount), "observationCount", observationCount, "1 to 1000")
    try SettingError.require(
      (1...1000).contains(predictionCount), "predictionCount", predictionCount, "1 to 1000")
    try SettingError.require(
      (1...predictionCount).contains(executedCount), "executedCount", executedCount,
      "1 to predictionCount, which is \(predictionCount)")
    try SettingError.within("network") { try network.validate(predictionCount: predictionCount) }
    try SettingError.within("denoising") { try denoising.validate() }
  }
}

/// An environment by name.
public struct EnvironmentConfiguration: Codable, Sendable, Hashable {
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
public struct DenoisingConfiguration: Codable, Sendable, Hashable {
  /// The ways to denoise.
  public enum Sampler: String, Codable, Sendable, CaseIterable {
    /// All K steps.
    case ddpm
    /// `ddimStepCount` of them.
    case ddim
  }

  /// K: the noise levels of training.
  public var stepCount = 20
  /// How chunks are sampled.
  public var sampler = Sampler.ddpm
  /// The denoising steps of DDIM.
  public var ddimStepCount = 5
  /// The share of DDPM's noise that DDIM draws when a policy is judged or used, 0 to 1; 0 in the
  /// reference. In fine-tuning `exploration.eta` decides.
  public var ddimEta: Float = 0
  /// Estimates of the clean chunk are clamped to +- this.
  public var estimateLimit: Float = 1

  /// 20 steps of DDPM.
  public init() {}

  /// The number of runs of the network for a chunk.
  public var transitionCount: Int { sampler == .ddpm ? stepCount : ddimStepCount }

  func validate() throws(SettingError) {
    try SettingError.require((2...10_000).contains(stepCount), "stepCount", stepCount, "2 to 10000")
    try SettingError.require(
      sampler == .ddpm || (1...stepCount).contains(ddimStepCount), "ddimStepCount", ddimStepCount,
      "1 to stepCount, which is \(stepCount)")
    try SettingError.require((0...1).contains(ddimEta), "ddimEta", ddimEta, "0 to 1")
    try SettingError.require(
      estimateLimit > 0 && estimateLimit.isFinite, "estimateLimit", estimateLimit,
      "a number above 0")
  }
}
