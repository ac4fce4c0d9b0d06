import Configuration
import Environments
import NeuralNetworks
import ReinforcementLearning
import Tensors

/// How DQL weighs its losses; the names in parentheses are the reference's.
public struct DQLConfiguration: Settings {
  /// The weight of Q beside the denoising loss (`eta`).
  @Setting(.notNegative) public var qWeight = 1.0

  /// The reference's number.
  public init() {}
}

/// Diffusion Q-learning (DQL, Wang et al., arXiv:2208.06193): the policy's chunks climb Q through all
/// denoising steps, held by the denoising loss on what was done.
///
///     Q_j: (R + discount min_j Q'_j(s', c') - Q_j(s, c))^2, c' ~ pi, and Q' follows Q
///     pi:  the denoising loss on c - eta mean Q_1(s, c_pi) / mean |Q_2(s, c_pi)|, or 1 and 2 exchanged
///
/// A released implementation denoises the policy's own new chunks instead of c, which holds it to nothing.
final class DQL: OffPolicyMethod {
  static let metrics: KeyValuePairs<String, Metrics.Kind> = [
    "criticLoss": .mean, "actorLoss": .mean, "denoisingLoss": .mean, "qMean": .mean,
    "targetMean": .mean, "criticGradientNorm": .mean, "policyGradientNorm": .mean, "updates": .sum,
  ]

  let learner: DenoiserLearner
  let q: QLearner
  private let configuration: OffPolicyConfiguration

  var policy: DiffusionPolicy { learner.policy }
  var storedSize: Int { learner.storedSize }

  /// - Throws: `ConfigurationError` or `ParameterError` for parts that do not fit.
  init(_ start: PolicyTrainingStart) throws {
    configuration = start.offPolicy
    try ConfigurationError.require(
      configuration.critic.critics >= 2, "offPolicy.critic.critics", configuration.critic.critics,
      "2 or more: one is climbed, another one is its measure")
    learner = try DenoiserLearner(start)
    q = try QLearner(start)
  }

  func decide(
    on observations: Observations, isWarmingUp: Bool, streams: [RandomStream]
  ) -> OffPolicyDecision {
    learner.decide(on: observations, streams: streams)
  }

  func stored(_ chunks: Tensor) -> Tensor? { chunks.flattened(from: 1) }

  func improve(_ replay: ReplayMemory, random: RandomStream, _ metrics: inout Metrics) throws {
    for number in 0..<configuration.updates {
      var random = random.split(number)
      let batch = replay.batch(configuration.batchSize, random: &random)
      learner.beginUpdate()
      let next = learner.sampledActions(on: batch.nextObservations, random: random.split(0))
      let targets = q.temporalDifferenceTargets(batch, nextActions: next, random: &random)
      try q.update(
        batch.observations, actions: learner.executed(batch.actions), to: targets, &metrics)
      if learner.learnsPolicy {
        let draws = Draws(
          denoising: learner.draws(batch.count, random: &random),
          chain: random.normal(
            [1 + policy.exploringTransitionCount] + learner.chunks(batch.actions).shape),
          climbsFirst: random.integer(below: 2) == 0)
        try updatePolicy(batch, draws, &metrics)
      }
      q.follow()
    }
  }

  /// The random numbers of a step of the policy.
  struct Draws {
    let denoising: DenoiserLearner.Draws
    /// The noise of the policy's chains, `[1 + K, N, Tp, Da]`.
    let chain: Tensor
    /// Whether Q_1 is climbed and Q_2 is its measure.
    let climbsFirst: Bool
  }

  /// A step of the policy.
  func updatePolicy(_ batch: ReplayBatch, _ draws: Draws, _ metrics: inout Metrics) throws {
    let (climbed, measure) = draws.climbsFirst ? (0, 1) : (1, 0)
    let scale = 1 / Float(batch.count)
    let (learner, q) = (self.learner, self.q)
    /// Q of the policy's chunks, differentiable where it is recorded.
    @Sendable func values(_ rows: Range<Int>) -> [Tensor] {
      let states = batch.observations.slice(rows)
      let chunks = learner.policy.exploredChunks(
        on: learner.observations(states), noise: draws.chain.slice(rows, along: 1))
      return q.critics(states, learner.shape.executed(chunks))
    }
    let size = shardedMap(count: batch.count, shardSize: DenoiserLearner.shardSize) {
      values($0)[measure].absolute()
    }.mean().scalar
    let weight = Float(configuration.dql.qWeight) / max(size, .leastNormalMagnitude)
    let chunks = learner.chunks(batch.actions)
    let sums = try q.critics.parameters.withoutLearning {
      try learner.step(batch.count, &metrics) { rows in
        let denoising = learner.denoisingLoss(
          chunks, states: batch.observations, draws.denoising, rows: rows)
        let climb = values(rows)[climbed].sum() * (-scale * weight)
        return ShardResult(
          loss: denoising + climb, sums: ["denoisingLoss": Double(denoising.scalar)])
      }
    }
    metrics.add("denoisingLoss", sums["denoisingLoss"])
  }

  func store(in checkpoint: inout PolicyCheckpoint) {
    learner.store(in: &checkpoint)
    q.store(in: &checkpoint)
  }

  var state: TrainingState {
    var state = TrainingState()
    state.add(learner.state, under: "policy")
    state.add(q.state, under: "q")
    return state
  }

  func restore(_ state: TrainingState, weights: [String: Tensor]) throws {
    try learner.restore(state.state(under: "policy"), weights: weights)
    try q.restore(state.state(under: "q"))
  }
}

extension PolicyAlgorithm {
  /// DQL, for diffusion policies.
  public static let dql = PolicyAlgorithm(
    name: "dql", networks: [.mlp, .unet], isOffPolicy: true, trainingSettings: ["exploration"]
  ) { start in
    try OffPolicyTraining(start, method: DQL(start))
  }
}
