import Configuration
import Environments
import NeuralNetworks
import ReinforcementLearning
import Tensors

/// How DSRL learns to choose initial noise; the names in parentheses are the reference's.
public struct DSRLConfiguration: Settings {
  /// What the critic of the environment sees.
  public enum Variant: String, Codable, Sendable, CaseIterable {
    /// The executed chunk, of which a critic of noise is distilled: decisions of any policy can be
    /// learned from.
    case noiseAliasing
    /// The noise: soft actor-critic with noise for actions.
    case sac
  }

  /// What is learned from.
  public var variant = Variant.noiseAliasing
  /// The actor, and how far noise may go.
  public var noise = NoisePolicyConfiguration()
  /// Batches of the distillation after each updates (`noise_critic_grad_steps`).
  @Setting(1...10_000_000) public var distillations = 10
  /// The entropy that the actor keeps, in nats, of all numbers of its noise together
  /// (`target_ent`).
  @Setting(.finite) public var targetEntropy = 0.0
  /// alpha, the weight of entropy, at the start.
  @Setting(.positive) public var initialTemperature = 1.0
  /// The learning rate of alpha; 0 keeps it as it is.
  @Setting(.notNegative) public var temperatureLearningRate = 3e-4

  /// The reference's numbers.
  public init() {}
}

/// Diffusion steering by reinforcement learning (DSRL, Wagenmaker et al., arXiv:2506.15799): soft
/// actor-critic over the initial noise of a frozen diffusion policy.
///
/// With noise aliasing, an update is
///
///     y = R + discount (min_j Q'_j(s', D(s', w')) - alpha ln pi(w'|s')), w' ~ pi
///     Q_j -> y by (Q_j(s, c) - y)^2 / 2
///     pi:  alpha ln pi(w|s) - min_j q_j(s, w), w ~ pi
///     alpha, and Q' follows Q
///
/// and after some of them q_j(s, w) is fitted to Q_j(s, D(s, w)) with w ~ N(0, I). No gradient passes
/// through D, the policy's denoising.
final class DSRL: OffPolicyMethod {
  let policy: NoisePolicy
  let storedSize: Int
  static let metrics: KeyValuePairs<String, Metrics.Kind> = [
    "criticLoss": .mean, "actorLoss": .mean, "noiseCriticLoss": .mean, "temperature": .mean,
    "policyEntropy": .mean, "qMean": .mean, "targetMean": .mean, "criticGradientNorm": .mean,
    "policyGradientNorm": .mean, "updates": .sum,
  ]

  private let configuration: OffPolicyConfiguration
  private let shape: QFunctionShape
  private let stepCount: Int
  /// Of executed chunks, or of noise in the variant `sac`.
  let critics: CriticEnsemble
  let targets: CriticEnsemble
  /// Of noise.
  let noiseCritics: CriticEnsemble?
  let temperature: EntropyTemperature
  private let criticOptimizer: Adam
  private let noiseCriticOptimizer: Adam?
  private let actorOptimizer: Adam
  private let temperatureOptimizer: Adam
  private let base: BasePolicyFile?

  /// Rows that a worker takes through the networks at once.
  private static let shardSize = 32

  /// - Throws: `ConfigurationError` or `ParameterError` for parts that do not fit.
  init(_ start: PolicyTrainingStart) throws {
    let (checkpoint, configuration) = (start.checkpoint, start.offPolicy)
    self.configuration = configuration
    base = checkpoint.base ?? start.base
    func random(_ purpose: String) -> RandomStream {
      RandomStream(seed: start.seed, purpose: purpose)
    }
    try ConfigurationError.require(
      checkpoint.noisePolicy.map { $0 == configuration.dsrl.noise } ?? true,
      "offPolicy.dsrl.noise", "another actor than the checkpoint's",
      "that of the checkpoint, or the checkpoint of the policy that it steers, to start anew")
    policy = try checkpoint.makeNoisePolicy(
      configuration.dsrl.noise, encoders: start.encoders, random: random("actor"))
    let shape = QFunctionShape(checkpoint)
    self.shape = shape
    stepCount = checkpoint.layout.stepCount
    let actionSize = policy.actor.actionSize
    func make(_ inputs: Int, _ purpose: String) -> CriticEnsemble {
      configuration.critic.layers.makeCritics(
        inputSize: shape.observationSize + inputs, count: configuration.critic.critics,
        random: random(purpose))
    }
    switch configuration.dsrl.variant {
    case .noiseAliasing:
      storedSize = shape.chunkSize
      noiseCritics = make(actionSize, "noise critics")
    case .sac:
      storedSize = actionSize
      noiseCritics = nil
    }
    critics = make(storedSize, "critics")
    targets = make(storedSize, "critics")
    let known = checkpoint.weights.under("q")
    if configuration.dsrl.variant == .noiseAliasing, checkpoint.qFunction == configuration.critic {
      try critics.parameters.load(known)
      try targets.parameters.load(known)
    }
    temperature = EntropyTemperature(
      initial: configuration.dsrl.initialTemperature,
      targetEntropy: configuration.dsrl.targetEntropy)
    func optimizer(_ parameters: NamedParameters, _ rate: Double) -> Adam {
      Adam(parameters, learningRate: Float(rate))
    }
    criticOptimizer = optimizer(critics.parameters, configuration.criticLearningRate)
    noiseCriticOptimizer = noiseCritics.map {
      optimizer($0.parameters, configuration.criticLearningRate)
    }
    actorOptimizer = optimizer(policy.parameters, configuration.actorLearningRate)
    temperatureOptimizer = optimizer(
      temperature.parameters, configuration.dsrl.temperatureLearningRate)
  }

  /// Line 0 of the metrics is not the base.
  var notes: [String] {
    [
      "evaluations before the first update are of an actor that has learned nothing, whose noise is near 0: "
        + "evaluate the base by itself"
    ]
  }

  /// Noise from N(0, I) while it warms up, as the base draws it; in the variant `sac` within what the
  /// actor could choose.
  func decide(
    on observations: Observations, isWarmingUp: Bool, streams: [RandomStream]
  ) -> OffPolicyDecision {
    let isChunkStored = configuration.dsrl.variant == .noiseAliasing
    let magnitude = policy.magnitude
    let noise = NoisePolicy.noise(policy.actor.actionSize, streams)
    var choice: Tensor  // [B, A], over b
    if isWarmingUp {
      choice = noise / magnitude
      if !isChunkStored { choice = choice.clamped(to: -1, 1) }
    } else {
      choice = policy.actor.sample(observations.state.flattened(from: 1), noise: noise).actions
    }
    let chunks = denoised(choice, observations)
    return OffPolicyDecision(
      chunks: chunks, stored: isChunkStored ? shape.executed(chunks) : choice)
  }

  func stored(_ chunks: Tensor) -> Tensor? {
    configuration.dsrl.variant == .noiseAliasing ? shape.executed(chunks) : nil
  }

  /// What noise over b becomes, `[N, A]` to `[N, Tp, Da]`, on all workers.
  private func denoised(_ choice: Tensor, _ observations: Observations) -> Tensor {
    shardedMap(count: observations.count) { [policy] rows in
      policy.chunks(
        ofNoise: choice.slice(rows) * policy.magnitude, on: observations.slice(rows))
    }
  }

  private func executed(_ choice: Tensor, on states: Tensor) -> Tensor {
    shape.executed(denoised(choice, shape.observations(states, stepCount: stepCount)))
  }

  // MARK: Learning

  func improve(_ replay: ReplayMemory, random: RandomStream, _ metrics: inout Metrics) throws {
    for number in 0..<configuration.updates {
      var random = random.split(number)
      let batch = replay.batch(configuration.batchSize, random: &random)
      let draws = Draws(
        next: random.normal([batch.count, policy.actor.actionSize]),
        present: random.normal([batch.count, policy.actor.actionSize]),
        members: configuration.criticReduction.members(of: critics.members.count, random: &random))
      try update(batch, draws, &metrics)
    }
    guard configuration.dsrl.variant == .noiseAliasing else { return }
    for number in 0..<configuration.dsrl.distillations {
      var random = random.split(number, purpose: "distillation")
      let batch = replay.batch(configuration.batchSize, random: &random)
      try distill(
        batch, noise: random.normal([batch.count, policy.actor.actionSize]), &metrics)
    }
  }

  /// The random numbers of an update.
  struct Draws {
    /// e' of w' after what was reached, `[N, A]`.
    let next: Tensor
    /// e of w, `[N, A]`.
    let present: Tensor
    /// The critics of `minimumOfTwo`.
    var members: [Int] = []
  }

  /// A step of critics, actor and temperature.
  func update(_ batch: ReplayBatch, _ draws: Draws, _ metrics: inout Metrics) throws {
    let alpha = temperature.value
    let targets = temporalDifferenceTargets(batch, draws, alpha)
    try updateCritics(batch, targets, &metrics)
    let logProbability = try updateActor(batch, draws, alpha, &metrics)
    if configuration.dsrl.temperatureLearningRate > 0 {
      let (loss, gradients) = valueAndGradients {
        temperature.loss(logProbabilities: Tensor([logProbability]))
      }
      try temperatureOptimizer.step(
        gradients, of: temperature.parameters, normLimit: 0, loss: Double(loss.scalar),
        "temperature loss")
    }
    self.targets.parameters.follow(critics.parameters, rate: Float(configuration.targetRate))
    metrics.add("temperature", Double(alpha))
    metrics.add("targetMean", Double(targets.mean().scalar))
    metrics.add("updates", 1)
  }

  /// What critics learn, `[N]`.
  private func temporalDifferenceTargets(
    _ batch: ReplayBatch, _ draws: Draws, _ alpha: Float
  ) -> Tensor {
    withoutRecording {
      let (choice, logProbabilities) = policy.actor.sample(
        batch.nextObservations, noise: draws.next)
      let actions =
        configuration.dsrl.variant == .noiseAliasing
        ? executed(choice, on: batch.nextObservations) : choice
      let values = configuration.criticReduction(
        targets(batch.nextObservations, actions), members: draws.members)
      return SoftActorCritic.targets(
        batch, nextValues: values, nextLogProbabilities: logProbabilities, temperature: alpha)
    }
  }

  private func updateCritics(
    _ batch: ReplayBatch, _ targets: Tensor, _ metrics: inout Metrics
  ) throws {
    let scale = 1 / Float(batch.count)
    let (loss, sums, gradients) = shardedValueAndGradients(
      count: batch.count, shardSize: Self.shardSize
    ) { [critics] rows in
      let values = critics(batch.observations.slice(rows), batch.actions.slice(rows))
      return ShardResult(
        loss: SoftActorCritic.criticLoss(values, targets: targets.slice(rows)) * scale,
        sums: ["q": Double((values[0].sum() * scale).scalar)])
    }
    metrics.add(
      "criticGradientNorm",
      try criticOptimizer.step(
        gradients, of: critics.parameters, normLimit: configuration.gradientNormLimit, loss: loss,
        "critic loss"))
    metrics.add("criticLoss", loss)
    metrics.add("qMean", sums["q"])
  }

  /// A step of the actor; returns the mean log-density before it.
  private func updateActor(
    _ batch: ReplayBatch, _ draws: Draws, _ alpha: Float, _ metrics: inout Metrics
  ) throws -> Float {
    let scale = 1 / Float(batch.count)
    let climbed = noiseCritics ?? critics
    let (loss, sums, gradients) = climbed.parameters.withoutLearning {
      shardedValueAndGradients(count: batch.count, shardSize: Self.shardSize) {
        [policy, configuration] rows in
        let observations = batch.observations.slice(rows)
        let (choice, logProbabilities) = policy.actor.sample(
          observations, noise: draws.present.slice(rows))
        let values = configuration.criticReduction(
          climbed(observations, choice), members: draws.members)
        let loss = SoftActorCritic.actorLoss(
          logProbabilities: logProbabilities, values: values, temperature: alpha)
        return ShardResult(
          loss: loss * scale,
          sums: ["logProbability": Double((logProbabilities.sum() * scale).scalar)])
      }
    }
    metrics.add(
      "policyGradientNorm",
      try actorOptimizer.step(
        gradients, of: policy.parameters, normLimit: configuration.gradientNormLimit, loss: loss,
        "actor loss"))
    metrics.add("actorLoss", loss)
    metrics.add("policyEntropy", -sums["logProbability"])
    return Float(sums["logProbability"])
  }

  /// A step of the critics of noise towards what critics of chunks say of what noise becomes.
  ///
  /// - Parameter noise: `[N, A]` from N(0, I), which may lie beyond what the actor chooses.
  func distill(_ batch: ReplayBatch, noise: Tensor, _ metrics: inout Metrics) throws {
    guard let noiseCritics, let noiseCriticOptimizer else { return }
    let choice = noise / policy.magnitude
    let targets = withoutRecording {
      critics(batch.observations, executed(choice, on: batch.observations))
    }
    let scale = 1 / Float(batch.count)
    let (loss, _, gradients) = shardedValueAndGradients(
      count: batch.count, shardSize: Self.shardSize
    ) { rows in
      let values = noiseCritics(batch.observations.slice(rows), choice.slice(rows))
      let losses = zip(values, targets).map { ($0 - $1.slice(rows)).squared().sum() }
      return ShardResult(loss: losses.dropFirst().reduce(losses[0], +) * (0.5 * scale))
    }
    try noiseCriticOptimizer.step(
      gradients, of: noiseCritics.parameters, normLimit: configuration.gradientNormLimit,
      loss: loss, "noise critic loss")
    metrics.add("noiseCriticLoss", loss)
  }

  // MARK: Going on later

  func store(in checkpoint: inout PolicyCheckpoint) {
    checkpoint.weights = policy.weights
    checkpoint.noisePolicy = configuration.dsrl.noise
    checkpoint.base = base
    guard configuration.dsrl.variant == .noiseAliasing else { return }
    checkpoint.qFunction = configuration.critic
    checkpoint.weights.merge(targets.parameters.values.prefixed("q")) { first, _ in first }
  }

  var state: TrainingState {
    var state = TrainingState()
    state.add(critics.parameters.values, under: "critics")
    state.add(targets.parameters.values, under: "targets")
    if let noiseCritics { state.add(noiseCritics.parameters.values, under: "noiseCritics") }
    state.add(temperature.parameters.values, under: "temperature")
    state.add(criticOptimizer.state, under: "criticOptimizer")
    state.add(actorOptimizer.state, under: "actorOptimizer")
    state.add(temperatureOptimizer.state, under: "temperatureOptimizer")
    if let noiseCriticOptimizer {
      state.add(noiseCriticOptimizer.state, under: "noiseCriticOptimizer")
    }
    return state
  }

  func restore(_ state: TrainingState, weights: [String: Tensor]) throws {
    try policy.actor.parameters.load(weights.under("noise"))
    try critics.parameters.load(state.tensors(under: "critics"))
    try targets.parameters.load(state.tensors(under: "targets"))
    try noiseCritics?.parameters.load(state.tensors(under: "noiseCritics"))
    try temperature.parameters.load(state.tensors(under: "temperature"))
    try criticOptimizer.restore(state.optimizer(under: "criticOptimizer"))
    try actorOptimizer.restore(state.optimizer(under: "actorOptimizer"))
    try temperatureOptimizer.restore(state.optimizer(under: "temperatureOptimizer"))
    try noiseCriticOptimizer?.restore(state.optimizer(under: "noiseCriticOptimizer"))
  }
}

extension PolicyAlgorithm {
  /// DSRL, for diffusion policies.
  public static let dsrl = PolicyAlgorithm(
    name: "dsrl", networks: [.mlp, .unet], isOffPolicy: true, keepsNoisePolicy: true,
    unreadOffPolicySettings: ["criticWarmUpUpdates"]
  ) { start in
    try OffPolicyTraining(start, method: DSRL(start))
  }
}
