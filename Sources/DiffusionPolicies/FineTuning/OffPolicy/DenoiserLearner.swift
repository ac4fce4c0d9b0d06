import Configuration
import Diffusion
import Environments
import NeuralNetworks
import ReinforcementLearning
import Tensors

/// What methods have in common that train a diffusion policy's own network off policy: all of its steps,
/// without a frozen copy. The replay buffer keeps whole chunks, `[Tp Da]`.
///
/// Unchecked sendable because weights change only between losses, by the training loop.
final class DenoiserLearner: @unchecked Sendable {
  let policy: DiffusionPolicy
  let configuration: OffPolicyConfiguration
  let shape: QFunctionShape
  private let chunkShape: [Int]
  private let stepCount: Int
  private let loss: NoisePredictionLoss
  private let optimizer: Adam
  private let exploration: DiffusionPolicy.Exploration
  /// Updates so far, of critics at least.
  private(set) var updates = 0

  /// Rows that a worker takes through the networks at once.
  static let shardSize = 32

  /// - Throws: `ConfigurationError` or `ParameterError` for parts that do not fit.
  init(_ start: PolicyTrainingStart) throws {
    let checkpoint = start.checkpoint
    try ConfigurationError.require(
      checkpoint.fineTunedSteps == 0, "checkpoint",
      "a policy whose last \(checkpoint.fineTunedSteps) denoising steps were fine-tuned",
      "a pretrained one, or one whose steps were all fine-tuned: this algorithm trains one network")
    policy = try checkpoint.makeDiffusionPolicy(
      exploration: start.configuration.exploration, fineTuning: 0, encoders: start.encoders)
    configuration = start.offPolicy
    exploration = start.configuration.exploration
    shape = QFunctionShape(checkpoint)
    chunkShape = [checkpoint.configuration.horizonSteps, checkpoint.actionSize]
    stepCount = checkpoint.layout.stepCount
    loss = NoisePredictionLoss(
      network: policy.fineTuned,
      schedule: .policyCosine(
        timeStepCount: checkpoint.configuration.denoising.stepCount))
    optimizer = Adam(
      policy.parameters, learningRate: Float(start.offPolicy.actorLearningRate))
  }

  /// `Tp Da`
  var storedSize: Int { chunkShape[0] * chunkShape[1] }

  /// Whether the policy learns already, and not critics alone.
  var learnsPolicy: Bool { updates > configuration.criticWarmUpUpdates }

  /// Counts an update that is about to be made.
  func beginUpdate() { updates += 1 }

  /// A decision with the noise of training.
  func decide(
    _ policy: (any ActingPolicy)? = nil, on observations: Observations, streams: [RandomStream]
  ) -> OffPolicyDecision {
    let chunks = (policy ?? self.policy).decideInParallel(
      on: observations, mode: .exploring, streams: streams
    ).chunks
    return OffPolicyDecision(chunks: chunks, stored: chunks.flattened(from: 1))
  }

  /// `[N, To Do]` as observations.
  func observations(_ states: Tensor) -> Observations {
    shape.observations(states, stepCount: stepCount)
  }

  /// `[N, Tp Da]` as chunks `[N, Tp, Da]`.
  func chunks(_ stored: Tensor) -> Tensor {
    stored.reshaped(to: [stored.shape[0]] + chunkShape)
  }

  /// What is executed of stored chunks, `[N, Tp Da]` to `[N, Ta Da]`.
  func executed(_ stored: Tensor) -> Tensor { shape.executed(chunks(stored)) }

  /// What the policy would execute after some states, with the noise of training, `[N, Ta Da]`.
  func sampledActions(
    _ policy: (any ActingPolicy)? = nil, on states: Tensor, random: RandomStream
  ) -> Tensor {
    withoutRecording {
      shape.executed(
        (policy ?? self.policy).decideInParallel(
          on: observations(states), mode: .exploring,
          streams: (0..<states.shape[0]).map { random.split($0, purpose: "chunk") }
        ).chunks)
    }
  }

  /// The random numbers of denoising losses.
  struct Draws {
    /// Time steps, `N` of them.
    let times: [Int]
    /// `[N, Tp, Da]`
    let noise: Tensor
  }

  /// Time steps and noise of a batch.
  func draws(_ count: Int, random: inout RandomStream) -> Draws {
    Draws(
      times: (0..<count).map { _ in random.integer(below: loss.schedule.timeStepCount) },
      noise: random.normal([count] + chunkShape))
  }

  /// Noised chunks, as the network is asked about them, `[N, Tp, Da]`.
  func noised(_ chunks: Tensor, _ draws: Draws, rows: Range<Int>) -> Tensor {
    loss.schedule.noisySample(
      chunks.slice(rows), noise: draws.noise.slice(rows),
      at: .perRow(Array(draws.times[rows])))
  }

  /// The network's prediction of the noise in noised chunks.
  func prediction(_ noised: Tensor, states: Tensor, _ draws: Draws, rows: Range<Int>) -> Tensor {
    policy.fineTuned(
      noised, timeSteps: .perRow(draws.times[rows].map(Float.init)),
      observations: observations(states.slice(rows)))
  }

  /// The mean squared error of predicted noise, some rows' part of a batch's mean; each row's weighted
  /// where there are weights `[N]`.
  func denoisingLoss(
    _ chunks: Tensor, states: Tensor, _ draws: Draws, weights: Tensor? = nil, rows: Range<Int>
  ) -> Tensor {
    let predicted = prediction(
      noised(chunks, draws, rows: rows), states: states, draws, rows: rows)
    let errors = (predicted - draws.noise.slice(rows)).squared().flattened(from: 1)
      .mean(along: 1)  // [n]
    let weighted = weights.map { errors * $0.slice(rows) } ?? errors
    return weighted.sum() / Float(chunks.shape[0])
  }

  /// A step of the policy's network on the sum of a loss over shards.
  ///
  /// - Returns: what the shards summed up.
  /// - Throws: `NonFiniteGradient`; no step has been taken then.
  @discardableResult
  func step(
    _ count: Int, _ metrics: inout Metrics, _ body: @Sendable (Range<Int>) -> ShardResult
  ) throws -> NamedSums {
    let (loss, sums, gradients) = shardedValueAndGradients(
      count: count, shardSize: Self.shardSize, body)
    metrics.add(
      "policyGradientNorm",
      try optimizer.step(
        gradients, of: policy.parameters, normLimit: configuration.gradientNormLimit, loss: loss,
        "policy loss"))
    metrics.add("actorLoss", loss)
    return sums
  }

  /// Puts a policy, this one unless given, and the noise of its training into a checkpoint.
  func store(_ policy: DiffusionPolicy? = nil, in checkpoint: inout PolicyCheckpoint) {
    checkpoint.weights = (policy ?? self.policy).weights
    checkpoint.exploration = exploration
  }

  /// The state of the optimizer; the weights are the checkpoint's.
  var state: TrainingState {
    var state = TrainingState()
    state.add(optimizer.state, under: "optimizer")
    state.numbers["updates"] = updates
    return state
  }

  /// - Throws: `ParameterError` if it belongs to another training.
  func restore(_ state: TrainingState, weights: [String: Tensor]) throws {
    try policy.load(weights.filter { BasePolicyFile.holds($0.key) })
    try optimizer.restore(state.optimizer(under: "optimizer"))
    updates = try state.number("updates")
  }
}

/// Critics of executed chunks, and the targets that follow them.
///
/// Unchecked sendable because weights change only between losses, by the training loop.
final class QLearner: @unchecked Sendable {
  let critics: CriticEnsemble
  let targets: CriticEnsemble
  private let configuration: OffPolicyConfiguration
  private let optimizer: Adam

  /// Goes on with the critics of the checkpoint, if they are of the same kind.
  ///
  /// - Throws: `ParameterError` if the checkpoint's do not fit.
  init(_ start: PolicyTrainingStart) throws {
    configuration = start.offPolicy
    let shape = QFunctionShape(start.checkpoint)
    let random = RandomStream(seed: start.seed, purpose: "critics")
    critics = configuration.critic.makeCritics(shape, random: random)
    targets = configuration.critic.makeCritics(shape, random: random)
    if start.checkpoint.qFunction == configuration.critic {
      let known = start.checkpoint.weights.under("q")
      try critics.parameters.load(known)
      try targets.parameters.load(known)
    }
    optimizer = Adam(
      critics.parameters, learningRate: Float(configuration.criticLearningRate))
  }

  /// R + discount min_j Q'_j(s', c'), `[N]`, of executed chunks `[N, Ta Da]` after what was reached.
  func temporalDifferenceTargets(
    _ batch: ReplayBatch, nextActions: Tensor, random: inout RandomStream
  ) -> Tensor {
    let members = configuration.criticReduction.members(
      of: targets.members.count, random: &random)
    return withoutRecording {
      let values = configuration.criticReduction(
        targets(batch.nextObservations, nextActions), members: members)
      return batch.rewards + batch.discounts * values
    }
  }

  /// A step of all critics towards targets `[N]`: the sum of their mean squared errors falls.
  ///
  /// - Throws: `NonFiniteGradient`; no step has been taken then.
  func update(
    _ observations: Tensor, actions: Tensor, to wanted: Tensor, _ metrics: inout Metrics
  ) throws {
    let count = wanted.count
    let (loss, sums, gradients) = shardedValueAndGradients(
      count: count, shardSize: DenoiserLearner.shardSize
    ) { [critics] rows in
      let values = critics(observations.slice(rows), actions.slice(rows))
      let errors = SoftActorCritic.criticLoss(values, targets: wanted.slice(rows))
      return ShardResult(
        loss: errors * (2 / Float(count)),
        sums: ["q": Double(values[0].sum().scalar) / Double(count)])
    }
    metrics.add(
      "criticGradientNorm",
      try optimizer.step(
        gradients, of: critics.parameters, normLimit: configuration.gradientNormLimit, loss: loss,
        "critic loss"))
    metrics.add("criticLoss", loss)
    metrics.add("qMean", sums["q"])
    metrics.add("targetMean", Double(wanted.mean().scalar))
    metrics.add("updates", 1)
  }

  /// Moves the targets towards the critics.
  func follow() {
    targets.parameters.follow(critics.parameters, rate: Float(configuration.targetRate))
  }

  /// Puts the targets into a checkpoint, for the best of several chunks.
  func store(in checkpoint: inout PolicyCheckpoint) {
    checkpoint.qFunction = configuration.critic
    checkpoint.weights = checkpoint.weights.filter { !$0.key.hasPrefix("q.") }
    checkpoint.weights.merge(targets.parameters.values.prefixed("q")) { $1 }
  }

  /// Critics and their optimizer; and targets.
  var state: TrainingState {
    var state = TrainingState()
    state.add(critics.parameters.values, under: "critics")
    state.add(targets.parameters.values, under: "targets")
    state.add(optimizer.state, under: "optimizer")
    return state
  }

  /// - Throws: `ParameterError` if it belongs to another training.
  func restore(_ state: TrainingState) throws {
    try critics.parameters.load(state.tensors(under: "critics"))
    try targets.parameters.load(state.tensors(under: "targets"))
    try optimizer.restore(state.optimizer(under: "optimizer"))
  }
}
