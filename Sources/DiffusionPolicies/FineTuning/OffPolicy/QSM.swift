import Configuration
import Environments
import NeuralNetworks
import ReinforcementLearning
import Tensors

/// How QSM matches scores; the names in parentheses are the reference's.
public struct QSMConfiguration: Settings {
  /// a: what the gradient of Q is multiplied by (`q_grad_coeff`).
  @Setting(.notNegative) public var gradientScale = 10.0

  /// The reference's number.
  public init() {}
}

/// Q-score matching (QSM, Psenka et al., arXiv:2312.11752): the policy's score is made the gradient of Q.
///
///     Q_j: (R + discount min_j Q'_j(s', c') - Q_j(s, c))^2, c' ~ pi, and Q' follows Q
///     pi:  (-eps(x_k, k, s) - a mean_j dQ_j(s, x_k)/dx_k)^2 on noised chunks x_k
///
/// Q has never learned of noised chunks, and nothing holds the policy to what it has learned before.
final class QSM: OffPolicyMethod {
  static let metrics: KeyValuePairs<String, Metrics.Kind> = [
    "criticLoss": .mean, "actorLoss": .mean, "qMean": .mean, "targetMean": .mean,
    "criticGradientNorm": .mean, "policyGradientNorm": .mean, "updates": .sum,
  ]

  let learner: DenoiserLearner
  let q: QLearner
  private let configuration: OffPolicyConfiguration

  var policy: DiffusionPolicy { learner.policy }
  var storedSize: Int { learner.storedSize }

  /// - Throws: `ConfigurationError` or `ParameterError` for parts that do not fit.
  init(_ start: PolicyTrainingStart) throws {
    configuration = start.offPolicy
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
        try updatePolicy(batch, learner.draws(batch.count, random: &random), &metrics)
      }
      q.follow()
    }
  }

  /// A step of the policy.
  func updatePolicy(
    _ batch: ReplayBatch, _ draws: DenoiserLearner.Draws, _ metrics: inout Metrics
  ) throws {
    let chunks = learner.chunks(batch.actions)
    let scale = Float(configuration.qsm.gradientScale)
    let elementCount = Float(chunks.count)
    let critics = q.critics
    try learner.step(batch.count, &metrics) { [learner] rows in
      let noised = learner.noised(chunks, draws, rows: rows)
      let gradients = Self.gradients(of: critics, at: noised) {
        (batch.observations.slice(rows), learner.shape.executed($0))
      }
      let predicted = learner.prediction(
        noised, states: batch.observations, draws, rows: rows)
      return ShardResult(
        loss: (-predicted - gradients * scale).squared().sum() / elementCount)
    }
  }

  /// The mean over critics of dQ_j(s, x)/dx, `[n, Tp, Da]`; 0 for actions that are not executed.
  ///
  /// - Parameter inputs: states and executed actions of chunks.
  private static func gradients(
    of critics: CriticEnsemble, at chunks: Tensor,
    _ inputs: (Tensor) -> (states: Tensor, actions: Tensor)
  ) -> Tensor {
    let leaf = GradientLeaf()
    // Gradients of their weights are made too, and dropped: a worker must not change what learns.
    let (_, gradients) = valueAndGradients {
      let (states, actions) = inputs(chunks.tracked(as: leaf))
      let values = critics(states, actions)
      return values.dropFirst().reduce(values[0], +).sum() / Float(values.count)
    }
    return gradients[leaf] ?? .zeros(chunks.shape)
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
  /// QSM, for diffusion policies.
  public static let qsm = PolicyAlgorithm(
    name: "qsm", networks: [.mlp, .unet], isOffPolicy: true, trainingSettings: ["exploration"]
  ) { start in
    try OffPolicyTraining(start, method: QSM(start))
  }
}
