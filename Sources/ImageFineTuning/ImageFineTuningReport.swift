/// What an iteration brought.
public struct ImageFineTuningReport: Sendable {
  /// The iteration, counted from one.
  public let iteration: Int
  /// Images drawn so far.
  public let imageCount: Int
  /// The mean reward of the iteration's images, before the update.
  public let reward: Double
  /// Its standard error.
  public let rewardStandardError: Double
  /// Images whose reward was not finite, and which were left out.
  public let droppedCount: Int
  /// The divergence of the policy that drew the images from the frozen model, in nats for a whole
  /// chain: estimated at one random step of each image.
  public let klDivergence: Double
  /// Means over the optimizer steps.
  public let update: Update
  /// Seconds of drawing, judging and the update.
  public let times: (sampling: Double, judging: Double, update: Double)

  /// Means over the optimizer steps of an iteration.
  public struct Update: Sendable, Equatable {
    /// The clipped objective, negated.
    public var policyLoss = 0.0
    /// The divergence in the loss, before its coefficient.
    public var klPenalty = 0.0
    /// The share of transitions whose ratio left the clip range.
    public var clipFraction = 0.0
    /// The mean ratio.
    public var ratio = 0.0
    /// (r - 1) - log r of the ratios.
    public var approximateKL = 0.0
    /// The norm of the gradient before it is clipped.
    public var gradientNorm = 0.0
    /// Optimizer steps.
    public var stepCount = 0

    /// Turns sums over the steps into means.
    mutating func average() {
      let count = Double(max(stepCount, 1))
      policyLoss /= count
      klPenalty /= count
      clipFraction /= count
      ratio /= count
      approximateKL /= count
      gradientNorm /= count
    }
  }
}
