import Configuration
import Environments
import NeuralNetworks
import ReinforcementLearning
import Tensors

/// How IDQL learns and chooses; the names in parentheses are the reference's.
public struct IDQLConfiguration: Settings {
  /// tau: the expectile of Q that V learns; 0.5 is the mean, and above it what good chunks are worth.
  @Setting(.fraction) public var expectile = 0.8
  /// N: the chunks that a decision draws (`num_sample`). When it is evaluated or used, the policy
  /// executes the one of the greatest Q.
  @Setting(1...10_000) public var candidates = 20
  /// How often it explores by chunks that are better than V, over how often by those that are not
  /// (`critic_hyperparam`).
  @Setting(.fraction) public var explorationWeight = 0.7

  /// The reference's numbers for Gym.
  public init() {}
}

/// Implicit diffusion Q-learning (IDQL, Hansen-Estruch et al., arXiv:2304.10573): critics by expectile
/// regression on what was done, a policy that imitates all of it, and the best of N of its chunks.
///
///     V:   |tau - 1(u < 0)| u^2, u = min_j Q'_j(s, c) - V(s)
///     Q_j: (R + discount V(s') - Q_j(s, c))^2, and Q' follows Q
///     pi:  the denoising loss on c
final class IDQL: OffPolicyMethod {
  static let metrics: KeyValuePairs<String, Metrics.Kind> = [
    "criticLoss": .mean, "valueLoss": .mean, "actorLoss": .mean, "qMean": .mean,
    "targetMean": .mean, "criticGradientNorm": .mean, "policyGradientNorm": .mean, "updates": .sum,
  ]

  let learner: DenoiserLearner
  let q: QLearner
  /// V, one of its kind.
  let values: CriticEnsemble
  private let valueOptimizer: Adam
  private let configuration: OffPolicyConfiguration
  private let explorer: IDQLExplorer

  var policy: DiffusionPolicy { learner.policy }
  var storedSize: Int { learner.storedSize }

  /// - Throws: `ConfigurationError` or `ParameterError` for parts that do not fit.
  init(_ start: PolicyTrainingStart) throws {
    configuration = start.offPolicy
    learner = try DenoiserLearner(start)
    q = try QLearner(start)
    values = start.offPolicy.critic.layers.makeCritics(
      inputSize: learner.shape.observationSize, count: 1,
      random: RandomStream(seed: start.seed, purpose: "values"))
    valueOptimizer = Adam(
      values.parameters, learningRate: Float(start.offPolicy.criticLearningRate))
    explorer = IDQLExplorer(
      BestOfPolicy(
        learner.policy, critics: q.targets, shape: learner.shape,
        count: start.offPolicy.idql.candidates),
      values: values, weight: start.offPolicy.idql.explorationWeight)
  }

  func decide(
    on observations: Observations, isWarmingUp: Bool, streams: [RandomStream]
  ) -> OffPolicyDecision {
    learner.decide(isWarmingUp ? policy : explorer, on: observations, streams: streams)
  }

  func stored(_ chunks: Tensor) -> Tensor? { chunks.flattened(from: 1) }

  func improve(_ replay: ReplayMemory, random: RandomStream, _ metrics: inout Metrics) throws {
    for number in 0..<configuration.updates {
      var random = random.split(number)
      let batch = replay.batch(configuration.batchSize, random: &random)
      try update(batch, learner.draws(batch.count, random: &random), &metrics)
    }
  }

  /// A step of V, of Q and of the policy.
  func update(
    _ batch: ReplayBatch, _ draws: DenoiserLearner.Draws, _ metrics: inout Metrics
  ) throws {
    learner.beginUpdate()
    let actions = learner.executed(batch.actions)
    try updateValues(batch, actions, &metrics)
    let targets = withoutRecording {
      batch.rewards + batch.discounts * values(batch.nextObservations)[0]
    }
    try q.update(batch.observations, actions: actions, to: targets, &metrics)
    q.follow()
    guard learner.learnsPolicy else { return }
    let chunks = learner.chunks(batch.actions)
    try learner.step(batch.count, &metrics) { [learner] rows in
      ShardResult(
        loss: learner.denoisingLoss(chunks, states: batch.observations, draws, rows: rows))
    }
  }

  private func updateValues(
    _ batch: ReplayBatch, _ actions: Tensor, _ metrics: inout Metrics
  ) throws {
    let worth = withoutRecording {
      CriticReduction.minimum(q.targets(batch.observations, actions), members: [])
    }
    let expectile = Float(configuration.idql.expectile)
    let (loss, _, gradients) = shardedValueAndGradients(
      count: batch.count, shardSize: DenoiserLearner.shardSize
    ) { [values] rows in
      let advantages = worth.slice(rows) - values(batch.observations.slice(rows))[0]
      let weights = Tensor(
        advantages.elements.map { $0 > 0 ? expectile : 1 - expectile })
      return ShardResult(loss: (weights * advantages.squared()).sum() / Float(batch.count))
    }
    try valueOptimizer.step(
      gradients, of: values.parameters, normLimit: configuration.gradientNormLimit, loss: loss,
      "value loss")
    metrics.add("valueLoss", loss)
  }

  func store(in checkpoint: inout PolicyCheckpoint) {
    learner.store(in: &checkpoint)
    q.store(in: &checkpoint)
    checkpoint.bestOf = configuration.idql.candidates
  }

  var state: TrainingState {
    var state = TrainingState()
    state.add(learner.state, under: "policy")
    state.add(q.state, under: "q")
    state.add(values.parameters.values, under: "values")
    state.add(valueOptimizer.state, under: "valueOptimizer")
    return state
  }

  func restore(_ state: TrainingState, weights: [String: Tensor]) throws {
    try learner.restore(state.state(under: "policy"), weights: weights)
    try q.restore(state.state(under: "q"))
    try values.parameters.load(state.tensors(under: "values"))
    try valueOptimizer.restore(state.optimizer(under: "valueOptimizer"))
  }
}

/// Explores by one of the candidates of each row, those of a greater Q than V more often.
private final class IDQLExplorer: ActingPolicy {
  private let best: BestOfPolicy
  private let values: CriticEnsemble
  private let weight: Double

  init(_ best: BestOfPolicy, values: CriticEnsemble, weight: Double) {
    self.best = best
    self.values = values
    self.weight = weight
  }

  func decide(
    on observations: Observations, mode: ActionMode, streams: [RandomStream]
  ) -> ChunkDecisions {
    let (candidates, worth) = best.candidates(on: observations, mode: mode, streams: streams)
    let values = values(observations.state.flattened(from: 1))[0].elements
    var first = 0
    let chosen = worth.enumerated().map { row, worth in
      let weights = worth.map { $0 > values[row] ? weight : 1 - weight }
      var stream = streams[row].split(0, purpose: "choice")
      defer { first += worth.count }
      // A weight of 0 or 1 may leave nobody.
      guard weights.contains(where: { $0 > 0 }) else {
        return first + stream.integer(below: worth.count)
      }
      return first + stream.choice(1, weights: weights)[0]
    }
    return candidates.gather(chosen)
  }
}

extension PolicyAlgorithm {
  /// IDQL, for diffusion policies.
  public static let idql = PolicyAlgorithm(
    name: "idql", networks: [.mlp, .unet], isOffPolicy: true, trainingSettings: ["exploration"],
    unreadOffPolicySettings: ["criticReduction"]
  ) { start in
    try OffPolicyTraining(start, method: IDQL(start))
  }
}
