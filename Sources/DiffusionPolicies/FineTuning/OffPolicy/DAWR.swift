import Configuration
import Environments
import Foundation
import NeuralNetworks
import ReinforcementLearning
import Tensors

/// How DAWR learns; the names in parentheses are the reference's.
public struct DAWRConfiguration: Settings {
  /// How advantages weigh.
  public var weighting = WeightedRegressionConfiguration()
  /// lambda of TD(lambda).
  @Setting(.fraction) public var lambda = 0.95
  /// Updates of the policy for each of V (`critic_update_ratio`).
  @Setting(1...10_000_000) public var updatesPerCriticUpdate = 4

  /// The reference's numbers.
  public init() {}
}

/// Diffusion advantage-weighted regression (DAWR, Ren et al., arXiv:2409.00588, after Peng et al.,
/// arXiv:1910.00177): the policy imitates what recent policies did, what was worth more than expected more.
///
///     V:  (TD(lambda) target - V(s))^2
///     pi: w(A) times the denoising loss on c, w = min(exp(beta A), limit), A = target - V(s), standardized
///         in each batch
///
/// Targets bootstrap from what a time-out reached, and never from the next episode.
final class DAWR: OffPolicyMethod {
  static let metrics: KeyValuePairs<String, Metrics.Kind> = [
    "valueLoss": .mean, "actorLoss": .mean, "meanWeight": .mean, "criticGradientNorm": .mean,
    "policyGradientNorm": .mean, "updates": .sum,
  ]

  let learner: DenoiserLearner
  /// V, one of its kind.
  let values: CriticEnsemble
  private let valueOptimizer: Adam
  private let configuration: OffPolicyConfiguration
  private let gamma: Double

  var policy: DiffusionPolicy { learner.policy }
  var storedSize: Int { learner.storedSize }

  /// - Throws: `ConfigurationError` or `ParameterError` for parts that do not fit.
  init(_ start: PolicyTrainingStart) throws {
    configuration = start.offPolicy
    learner = try DenoiserLearner(start)
    values = start.offPolicy.critic.layers.makeCritics(
      inputSize: learner.shape.observationSize, count: 1,
      random: RandomStream(seed: start.seed, purpose: "values"))
    valueOptimizer = Adam(
      values.parameters, learningRate: Float(start.offPolicy.criticLearningRate))
    gamma = start.offPolicy.decisionGamma(start.configuration.gamma, learner.shape.actionSteps)
  }

  func decide(
    on observations: Observations, isWarmingUp: Bool, streams: [RandomStream]
  ) -> OffPolicyDecision {
    learner.decide(on: observations, streams: streams)
  }

  /// Demonstrations are no sequence of this buffer, in which TD(lambda) is computed.
  func stored(_ chunks: Tensor) -> Tensor? { nil }

  /// What the buffer's decisions were worth.
  struct Estimates {
    /// The slots that can be learned from.
    let slots: [Int]
    /// TD(lambda) targets, by slot.
    let targets: [Int: Float]
    /// Targets less V, by slot.
    let advantages: [Int: Float]
  }

  /// TD(lambda) over all that is in the buffer, in the order in which it was done.
  func estimates(_ buffer: ReplayBuffer) -> Estimates {
    let slots = buffer.slotsInOrder
    let batch = buffer.batch(slots, ReplayReturns(gamma: gamma))
    func value(_ observations: Tensor) -> [Float] {
      shardedMap(count: observations.shape[0], shardSize: 512) { [values] in
        values(observations.slice($0))[0]
      }.elements
    }
    let rewards = RolloutRewards(
      rewards: batch.rewards.elements, values: value(batch.observations),
      nextValues: value(batch.nextObservations),
      isTerminated: batch.discounts.elements.map { $0 == 0 },
      isFinished: slots.map(buffer.isFinished), isLost: slots.map(buffer.isLost),
      environmentCount: buffer.environmentCount)
    let (advantages, targets) = rewards.generalizedAdvantages(
      gamma: Float(gamma), gaeLambda: Float(configuration.dawr.lambda))
    func bySlot(_ numbers: [Float]) -> [Int: Float] {
      Dictionary(uniqueKeysWithValues: zip(slots, numbers))
    }
    return Estimates(
      slots: slots.filter { !buffer.isLost($0) }, targets: bySlot(targets),
      advantages: bySlot(advantages))
  }

  func improve(_ replay: ReplayMemory, random: RandomStream, _ metrics: inout Metrics) throws {
    let buffer = replay.online
    var estimates = estimates(buffer)
    let criticUpdates = max(1, configuration.updates / configuration.dawr.updatesPerCriticUpdate)
    for number in 0..<criticUpdates {
      var random = random.split(number, purpose: "values")
      let slots = buffer.draw(configuration.batchSize, random: &random)
      try updateValues(
        buffer.batch(slots, replay.returns).observations,
        to: Tensor(slots.map { estimates.targets[$0] ?? 0 }), &metrics)
    }
    estimates = self.estimates(buffer)
    for number in 0..<configuration.updates {
      var random = random.split(number)
      let slots = buffer.draw(configuration.batchSize, random: &random)
      learner.beginUpdate()
      metrics.add("updates", 1)
      guard learner.learnsPolicy else { continue }
      try updatePolicy(
        buffer.batch(slots, replay.returns),
        advantages: slots.map { estimates.advantages[$0] ?? 0 },
        learner.draws(slots.count, random: &random), &metrics)
    }
  }

  private func updateValues(
    _ states: Tensor, to targets: Tensor, _ metrics: inout Metrics
  ) throws {
    let count = targets.count
    let (loss, _, gradients) = shardedValueAndGradients(
      count: count, shardSize: DenoiserLearner.shardSize
    ) { [values] rows in
      let errors = (values(states.slice(rows))[0] - targets.slice(rows)).squared()
      return ShardResult(loss: errors.sum() / Float(count))
    }
    metrics.add(
      "criticGradientNorm",
      try valueOptimizer.step(
        gradients, of: values.parameters, normLimit: configuration.gradientNormLimit, loss: loss,
        "value loss"))
    metrics.add("valueLoss", loss)
  }

  /// A step of the policy.
  func updatePolicy(
    _ batch: ReplayBatch, advantages: [Float], _ draws: DenoiserLearner.Draws,
    _ metrics: inout Metrics
  ) throws {
    let weights = configuration.dawr.weighting.weights(advantages, epsilon: 1e-6, correction: 1)
    for weight in weights { metrics.add("meanWeight", Double(weight)) }
    let chunks = learner.chunks(batch.actions)
    let tensor = Tensor(weights)
    try learner.step(batch.count, &metrics) { [learner] rows in
      ShardResult(
        loss: learner.denoisingLoss(
          chunks, states: batch.observations, draws, weights: tensor, rows: rows))
    }
  }

  func store(in checkpoint: inout PolicyCheckpoint) { learner.store(in: &checkpoint) }

  var state: TrainingState {
    var state = TrainingState()
    state.add(learner.state, under: "policy")
    state.add(values.parameters.values, under: "values")
    state.add(valueOptimizer.state, under: "valueOptimizer")
    return state
  }

  func restore(_ state: TrainingState, weights: [String: Tensor]) throws {
    try learner.restore(state.state(under: "policy"), weights: weights)
    try values.parameters.load(state.tensors(under: "values"))
    try valueOptimizer.restore(state.optimizer(under: "valueOptimizer"))
  }
}

extension PolicyAlgorithm {
  /// DAWR, for diffusion policies.
  public static let dawr = PolicyAlgorithm(
    name: "dawr", networks: [.mlp, .unet], isOffPolicy: true, trainingSettings: ["exploration"],
    unreadOffPolicySettings: [
      "returnDecisions", "critic.critics", "criticReduction", "targetRate",
      "demonstrationFraction",
    ]
  ) { start in
    try OffPolicyTraining(start, method: DAWR(start))
  }
}
