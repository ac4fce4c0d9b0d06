import Environments

/// What an iteration of fine-tuning brought.
public struct IterationReport: Sendable {
  /// Its number, from 1.
  public var iteration: Int
  /// Actions decided so far, as the reference counts: each is a step of an environment, but for
  /// those of a chunk that its episode's end cut short.
  public var environmentSteps: Int
  /// The episodes that ended in it, as the exploring policy played them.
  public var episodes: [EpisodeStatistics]
  /// Means over all minibatches of the iteration.
  public var losses: Losses
  /// How much of the returns' variance the critic explained before the update; nil if there was
  /// none.
  public var explainedVariance: Double?
  /// What rewards were divided by.
  public var rewardScale: Double
  /// K'
  public var fineTunedCount: Int
  /// The policy's learning rate.
  public var policyLearningRate: Double
  /// The critic's learning rate.
  public var criticLearningRate: Double
  /// Seconds in the environments, in the policy, and in the update.
  public var times: (simulation: Double, sampling: Double, update: Double)

  /// Means over the minibatches of an iteration.
  public struct Losses: Sendable, Equatable {
    /// PPO's.
    public var policy = 0.0
    /// The halved squared error of the critic.
    public var value = 0.0
    /// Where it is weighted.
    public var entropy = 0.0
    /// Behaviour cloning, where it is weighted.
    public var cloning = 0.0
    /// The estimate of the KL divergence from the policy that acted.
    public var divergence = 0.0
    /// The greatest one of a minibatch.
    public var greatestDivergence = 0.0
    /// The share of ratios outside their clip range.
    public var clipFraction = 0.0
    /// The mean ratio.
    public var ratio = 0.0
    /// The norm of the policy's gradient.
    public var policyGradientNorm = 0.0
    /// The norm of the critic's gradient.
    public var criticGradientNorm = 0.0
    /// Minibatches learned from.
    public var minibatchCount = 0

    /// Turns sums over minibatches into means.
    mutating func average(policyMinibatches: Int) {
      value /= Double(max(minibatchCount, 1))
      criticGradientNorm /= Double(max(minibatchCount, 1))
      let count = Double(max(policyMinibatches, 1))
      policy /= count
      entropy /= count
      cloning /= count
      divergence /= count
      clipFraction /= count
      ratio /= count
      policyGradientNorm /= count
    }
  }
}
