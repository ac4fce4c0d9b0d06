import Configuration
import Environments
import NeuralNetworks
import ReinforcementLearning
import Tensors

/// How DIPO improves chunks; the names in parentheses are the reference's.
public struct DIPOConfiguration: Settings {
  /// Steps uphill of a chunk each time it is drawn (`action_gradient_steps`).
  @Setting(1...10_000) public var climbSteps = 10
  /// The learning rate of these steps (`action_lr`).
  @Setting(.notNegative) public var climbLearningRate = 1e-4
  /// Their gradients, of a whole batch together, are scaled down to this norm times the numbers of a
  /// chunk; 0 for no limit (`action_grad_norm`).
  @Setting(.notNegative) public var climbGradientNormLimit = 0.1

  /// The reference's numbers.
  public init() {}
}

/// Model-free online reinforcement learning with diffusion policy (DIPO, Yang et al., arXiv:2305.13122):
/// chunks that were done are moved uphill on Q, and the policy imitates those.
///
///     Q_j: (R + discount min_j Q'_j(s', c') - Q_j(s, c))^2, c' ~ the target policy, and Q' follows Q
///     b(c): some steps of Adam on -min_j Q_j(s, b), from where b(c) was, kept within -1 ... 1
///     pi:  the denoising loss on b(c); the target policy follows it
///
/// The target policy acts. What was moved is kept beside what was done: critics learn from that.
final class DIPO: OffPolicyMethod {
  static let metrics: KeyValuePairs<String, Metrics.Kind> = [
    "criticLoss": .mean, "actorLoss": .mean, "qMean": .mean, "targetMean": .mean,
    "qGain": .mean, "criticGradientNorm": .mean, "policyGradientNorm": .mean, "updates": .sum,
  ]

  /// Trains the network that the target policy follows.
  let learner: DenoiserLearner
  /// The target policy.
  let policy: DiffusionPolicy
  let q: QLearner
  private let configuration: OffPolicyConfiguration
  /// The moved chunks, by slot, `[slots, Tp Da]`.
  private(set) var improved: [Float] = []

  var storedSize: Int { learner.storedSize }

  /// - Throws: `ConfigurationError` or `ParameterError` for parts that do not fit.
  init(_ start: PolicyTrainingStart) throws {
    configuration = start.offPolicy
    learner = try DenoiserLearner(start)
    policy = try DenoiserLearner(start).policy
    q = try QLearner(start)
  }

  func decide(
    on observations: Observations, isWarmingUp: Bool, streams: [RandomStream]
  ) -> OffPolicyDecision {
    learner.decide(policy, on: observations, streams: streams)
  }

  /// Demonstrations would have to be moved too, and are not kept by slot.
  func stored(_ chunks: Tensor) -> Tensor? { nil }

  func kept(_ step: ReplayStep, in slots: Range<Int>) {
    let range = slots.lowerBound * storedSize..<slots.upperBound * storedSize
    if range.lowerBound == improved.count {
      improved += step.actions
    } else {
      improved.replaceSubrange(range, with: step.actions)
    }
  }

  func improve(_ replay: ReplayMemory, random: RandomStream, _ metrics: inout Metrics) throws {
    for number in 0..<configuration.updates {
      var random = random.split(number)
      let batch = replay.batch(configuration.batchSize, random: &random)
      learner.beginUpdate()
      let next = learner.sampledActions(
        policy, on: batch.nextObservations, random: random.split(0))
      let targets = q.temporalDifferenceTargets(batch, nextActions: next, random: &random)
      try q.update(
        batch.observations, actions: learner.executed(batch.actions), to: targets, &metrics)
      if learner.learnsPolicy {
        let slots = replay.online.draw(configuration.batchSize, random: &random)
        let states = replay.online.batch(slots, replay.returns).observations
        let chunks = try climbed(from: gather(slots), states: states, &metrics)
        keep(chunks, in: slots)
        try imitate(chunks, states, learner.draws(slots.count, random: &random), &metrics)
      }
      q.follow()
      policy.parameters.follow(
        learner.policy.parameters, rate: Float(configuration.targetRate))
    }
  }

  private func gather(_ slots: [Int]) -> Tensor {
    Tensor(
      shape: [slots.count, storedSize],
      elements: slots.flatMap { improved[$0 * storedSize..<($0 + 1) * storedSize] })
  }

  private func keep(_ chunks: Tensor, in slots: [Int]) {
    let elements = chunks.elements
    for (row, slot) in slots.enumerated() {
      improved.replaceSubrange(
        slot * storedSize..<(slot + 1) * storedSize,
        with: elements[row * storedSize..<(row + 1) * storedSize])
    }
  }

  /// Chunks to be moved, as a network's weights.
  private final class MovedChunks: Module {
    let chunks: Parameter

    init(_ chunks: Tensor) { self.chunks = Parameter(chunks) }

    func collect(into parameters: inout NamedParameters) { parameters.add("chunks", chunks) }
  }

  /// Chunks `[N, Tp Da]` some steps uphill.
  func climbed(
    from chunks: Tensor, states: Tensor, _ metrics: inout Metrics
  ) throws -> Tensor {
    let moved = MovedChunks(chunks)
    let optimizer = Adam(
      moved.parameters, learningRate: Float(configuration.dipo.climbLearningRate), epsilon: 1e-5)
    let limit =
      configuration.dipo.climbGradientNormLimit * Double(learner.shape.chunkSize)
    var values: [Double] = []
    for _ in 0..<configuration.dipo.climbSteps {
      let (loss, _, gradients) = q.critics.parameters.withoutLearning {
        shardedValueAndGradients(
          count: states.shape[0], shardSize: DenoiserLearner.shardSize
        ) { [q, learner] rows in
          let actions = learner.executed(moved.chunks.tensor.slice(rows))
          let worth = CriticReduction.minimum(
            q.critics(states.slice(rows), actions), members: [])
          return ShardResult(loss: -worth.sum())
        }
      }
      try optimizer.step(
        gradients, of: moved.parameters, normLimit: limit, loss: loss, "Q of moved chunks")
      moved.chunks.value = moved.chunks.value.clamped(to: -1, 1)
      values.append(-loss / Double(states.shape[0]))
    }
    metrics.add("qGain", (values.last ?? 0) - (values.first ?? 0))
    return moved.chunks.value
  }

  /// A step of the policy on moved chunks.
  func imitate(
    _ stored: Tensor, _ states: Tensor, _ draws: DenoiserLearner.Draws, _ metrics: inout Metrics
  ) throws {
    let chunks = learner.chunks(stored)
    try learner.step(stored.shape[0], &metrics) { [learner] rows in
      ShardResult(loss: learner.denoisingLoss(chunks, states: states, draws, rows: rows))
    }
  }

  func store(in checkpoint: inout PolicyCheckpoint) {
    learner.store(policy, in: &checkpoint)
    q.store(in: &checkpoint)
  }

  var state: TrainingState {
    var state = TrainingState()
    state.add(learner.state, under: "policy")
    state.add(learner.policy.weights, under: "followed")
    state.add(q.state, under: "q")
    state.tensors["improved"] = Tensor(
      shape: [improved.count / storedSize, storedSize], elements: improved)
    return state
  }

  func restore(_ state: TrainingState, weights: [String: Tensor]) throws {
    try policy.load(weights.filter { BasePolicyFile.holds($0.key) })
    try learner.restore(
      state.state(under: "policy"), weights: state.tensors(under: "followed"))
    try q.restore(state.state(under: "q"))
    guard let tensor = state.tensors["improved"] else {
      throw ParameterError.missing(name: "improved", nearest: nil)
    }
    improved = tensor.elements
  }
}

extension PolicyAlgorithm {
  /// DIPO, for diffusion policies.
  public static let dipo = PolicyAlgorithm(
    name: "dipo", networks: [.mlp, .unet], isOffPolicy: true, trainingSettings: ["exploration"]
  ) { start in
    try OffPolicyTraining(start, method: DIPO(start))
  }
}
