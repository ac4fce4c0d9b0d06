import Configuration
import NeuralNetworks
import ReinforcementLearning

/// How algorithms improve a policy that learn from decisions of earlier policies too. Of `training` they
/// take `iterations`, `environments`, `rolloutSteps`, `resetsEachIteration`, `gamma` and `rewardFactor`.
public struct OffPolicyConfiguration: Settings {
  /// What gamma discounts.
  public enum ChunkDiscount: String, Codable, Sendable, CaseIterable {
    /// Each decision; rewards within a chunk are summed, as in the references.
    case perDecision
    /// Each step of the environment, within a chunk too.
    case perStep
  }

  /// Decisions in each environment, of the policy as it was, before anything is learned.
  @Setting(.notNegative) public var warmUpDecisions = 2000
  /// Decisions in each environment between updates (`train_freq`); 0 to update once an iteration.
  @Setting(.notNegative) public var updateInterval = 2
  /// Updates each time (`utd`), of a batch each.
  @Setting(1...10_000_000) public var updates = 20
  /// Transitions in a batch.
  @Setting(1...10_000_000) public var batchSize = 256
  /// Transitions that are kept; the oldest are forgotten. Checkpoints hold them all: a million of
  /// Hopper's take 130 MB.
  @Setting(2...16_000_000) public var capacity = 1_000_000
  /// Decisions whose rewards are counted before the value of what follows is.
  @Setting(1...1000) public var returnDecisions = 1
  /// What `training.gamma` discounts.
  public var chunkDiscount = ChunkDiscount.perDecision

  /// The critics.
  public var critic = QFunctionConfiguration()
  /// How their numbers become one in targets and in what actors climb.
  public var criticReduction = CriticReduction.minimum
  /// Updates in which critics alone learn, after the decisions that warm up.
  @Setting(.notNegative) public var criticWarmUpUpdates = 0
  /// How far target networks follow the critics with each update (`tau`).
  @Setting(.fraction) public var targetRate = 0.005
  /// The learning rate of critics.
  @Setting(.notNegative) public var criticLearningRate = 3e-4
  /// The learning rate of the actor, or of the policy's network.
  @Setting(.notNegative) public var actorLearningRate = 3e-4
  /// Gradients of each network are scaled down to this norm; 0 for no limit.
  @Setting(.notNegative) public var gradientNormLimit = 0.0

  /// Demonstrations to learn from too, from the first update on; they need rewards.
  public var demonstrations: DemonstrationConfiguration?
  /// The fraction of each batch that is demonstrations, if there are some (RLPD, arXiv:2302.02948).
  @Setting(.fraction) public var demonstrationFraction = 0.5

  /// DSRL: the initial noise.
  public var dsrl = DSRLConfiguration()
  /// IDQL: the best of several chunks.
  public var idql = IDQLConfiguration()
  /// DQL: chunks that climb Q.
  public var dql = DQLConfiguration()
  /// QSM: scores that are gradients of Q.
  public var qsm = QSMConfiguration()
  /// DIPO: imitation of chunks that climbed Q.
  public var dipo = DIPOConfiguration()
  /// DRWR: imitation weighted by returns.
  public var drwr = DRWRConfiguration()
  /// DAWR: imitation weighted by advantages.
  public var dawr = DAWRConfiguration()

  /// DSRL's numbers for Hopper, with larger networks.
  public init() {}

  /// Two critics are drawn of at least two.
  public func checkRelations() throws {
    try ConfigurationError.require(
      criticReduction != .minimumOfTwo || critic.critics >= 2, "critic.critics", critic.critics,
      "2 or more, of which criticReduction=minimumOfTwo draws two")
  }

  /// gamma between decisions of some steps of the environment each.
  func decisionGamma(_ gamma: Double, _ steps: Int) -> Double {
    chunkDiscount == .perStep ? (0..<steps).reduce(1) { product, _ in product * gamma } : gamma
  }

  /// Rewards and what is left for the value, as the replay buffer makes them.
  func returns(gamma: Double) -> ReplayReturns {
    ReplayReturns(
      decisions: returnDecisions, gamma: gamma, isPerStep: chunkDiscount == .perStep)
  }
}
