import Configuration
import Diffusion

/// How a noise prior is learned.
///
/// The defaults are what worked best for a few hundred images a prompt (docs/ablations.md); the
/// paper's own numbers are in `released`.
public struct FINDConfiguration: Settings {
  /// Whose update is made.
  public enum Reproduction: String, Codable, CaseIterable, Sendable {
    /// The method of the paper: every noise with its own reward and density, a history, PPO's
    /// clipped objective.
    case paper
    /// What the released code does; see docs/fidelity.md.
    case released
  }

  /// What rewards are compared with: dynamic reward calibration, r* = r - g (section 3.3).
  public enum Baseline: String, Codable, CaseIterable, Sendable {
    /// The mean of the other images of the same iteration.
    case group
    /// A network of the distribution and the prompt, refitted at every iteration.
    case learned
    /// Nothing.
    case none
  }

  /// How calibrated rewards are scaled.
  public enum RewardScaling: String, Codable, CaseIterable, Sendable {
    /// By the standard deviation of the rewards in the history.
    case std
    /// By their ranks among the iteration's images, which no outlier can spoil.
    case ranks
    /// Not at all.
    case none
  }

  /// What keeps the prior near N(0, I).
  public enum PriorPenalty: String, Codable, CaseIterable, Sendable {
    /// KL(pi || N(0, I)).
    case divergence
    /// mu^2 + (sigma - 1)^2, as the released code.
    case squared
  }

  /// Whose update is made.
  public var reproduction = Reproduction.paper
  /// The maximum number of iterations.
  @Setting(1...100_000) public var iterations = 16
  /// Images of a prompt in an iteration; 1 in the released code.
  @Setting(1...100_000) public var imageCount = 16
  /// Whether every noise comes with its mirror image about the mean, which halves what the
  /// estimate's even part adds to its error.
  public var isAntithetic = true
  /// What rewards are compared with.
  public var baseline = Baseline.group
  /// How they are scaled then.
  public var rewardScaling = RewardScaling.std
  /// The iterations whose noise is used, the present one included.
  @Setting(1...100_000) public var historyLength = 4
  /// Updates an iteration, each on all of the history.
  @Setting(1...100_000) public var epochs = 1
  /// The ratio of densities is clipped to 1 +- this.
  @Setting(.notNegative) public var clipRange = 0.2
  /// How the log-density of a noise becomes one number. `sum` is the true density, whose ratio
  /// leaves the clip range at once: a shift by one unit of length changes it by e.
  public var reduction = LogProbabilityReduction.mean
  /// The factor of the reward in the objective.
  @Setting(.notNegative) public var rewardWeight = 1.0
  /// What keeps the prior near N(0, I).
  public var priorPenalty = PriorPenalty.divergence
  /// The factor of that penalty.
  @Setting(.notNegative) public var priorPenaltyWeight = 0.01
  /// The step along the natural gradient: an image moves the mean by this, times its scaled
  /// reward, over `imageCount`, times its own distance from the mean.
  @Setting(.notNegative) public var stepSize = 0.45
  /// Whether sigma is learned too.
  public var learnsStd = false
  /// Whether sigma is scaled down after each update so that the noise keeps the mean square length
  /// of N(0, I), |mu|^2 + sum sigma^2 = dimensions: the only length that the model has seen.
  public var keepsLength = false
  /// The fraction of the lowest frequencies that mu is made of, in space and, in clips, in time;
  /// above 0 and up to 1, which is all.
  @Setting(.positiveFraction) public var frequencyFraction = 1.0
  /// The same in time alone, for clips, so that `frequencyFraction` counts in space alone: 1 lets every
  /// frame have a mean of its own, the lowest numbers keep what all frames have in common. If there is
  /// none, `frequencyFraction` counts in space and time.
  @Setting(0.001...1) public var timeFrequencyFraction: Double? = nil
  /// Iterations without progress after which the reward has settled; 0 for never.
  @Setting(0...100_000) public var patience = 0
  /// Images without a finite reward, as a fraction of an iteration's, that stop the run.
  @Setting(.fraction) public var maxDroppedFraction = 0.5
  /// The learning rate of AdamW for mu and sigma in the released code.
  @Setting(.notNegative) public var releasedLearningRate = 1e-3
  /// The images that the released code's buffer holds: 1,000 transitions of 50 steps each.
  @Setting(1...100_000) public var releasedBufferCount = 20
  /// The learning rate of AdamW for the network of the learned baseline.
  @Setting(.notNegative) public var baselineLearningRate = 1e-4
  /// Its passes in an iteration.
  @Setting(1...100_000) public var baselinePassCount = 5

  /// The defaults.
  public init() {}

  /// The minimum standard deviation, 1e-4 in the released code.
  static let minStd: Float = 1e-4

  /// Some ways to compare images need more than one of them.
  public func checkRelations() throws {
    if reproduction == .paper {
      try ConfigurationError.require(
        !isAntithetic || imageCount.isMultiple(of: 2), "imageCount", imageCount,
        "an even number, because isAntithetic is true")
      try ConfigurationError.require(
        baseline == .learned || baseline == .none || imageCount > 1, "imageCount", imageCount,
        "2 or more, because baseline is group")
      try ConfigurationError.require(
        rewardScaling != .ranks || imageCount > 1, "imageCount", imageCount,
        "2 or more, because rewardScaling is ranks")
    } else {
      try ConfigurationError.require(
        imageCount == 1, "imageCount", imageCount, "1, because reproduction is released")
    }
  }

  /// The numbers of the released code: one image an iteration, 300 of them.
  public static var released: FINDConfiguration {
    var configuration = FINDConfiguration()
    configuration.reproduction = .released
    configuration.iterations = 300
    configuration.imageCount = 1
    configuration.isAntithetic = false
    configuration.baseline = .learned
    configuration.rewardScaling = .none
    configuration.rewardWeight = 10
    configuration.priorPenalty = .squared
    configuration.priorPenaltyWeight = 0.01
    configuration.learnsStd = true
    return configuration
  }
}
