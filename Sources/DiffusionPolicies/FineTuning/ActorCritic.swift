import Configuration
import Environments
import Foundation
import NeuralNetworks
import ReinforcementLearning
import Tensors

/// What a training of policy and critic carries from iteration to iteration: weights, optimizers,
/// reward scaling and environments; saved and restored together.
final class ActorCritic<Policy: LikelihoodPolicy> {
  let policy: Policy
  let critic: ObservingCritic
  let collector: RolloutCollector
  var scaler: RewardScaler
  /// The checkpoint that the training started from, or goes on with.
  let start: PolicyCheckpoint
  private let configuration: DPPOConfiguration
  private let policyOptimizer: Adam
  private let criticOptimizer: Adam
  private let etaOptimizer: Adam?

  /// - Throws: `ConfigurationError`, `ParameterError` or `EnvironmentError` for parts that do not
  ///   fit.
  init(_ start: PolicyTrainingStart, policy: Policy) throws {
    let (checkpoint, configuration) = (start.checkpoint, start.configuration)
    self.start = checkpoint
    self.configuration = configuration
    self.policy = policy
    try ConfigurationError.require(
      !configuration.critic.sharesEncoder || policy.frozenEncoder != nil, "critic.sharesEncoder",
      "true",
      "false, unless images are read by an encoder that does not learn: "
        + "policy.encoder.trained=false, from a policy whose encoder was not fine-tuned")
    var random = RandomStream(seed: start.seed, purpose: "critic")
    critic = try checkpoint.configuration.makeCritic(
      configuration.critic, checkpoint.layout, encoders: start.encoders, random: &random)
    let known = checkpoint.weights.under("critic")
    if checkpoint.critic == configuration.critic, !known.isEmpty {
      try critic.parameters.load(known)
    }
    collector = try RolloutCollector(
      try PolicyEnvironment(
        checkpoint.configuration, normalization: checkpoint.normalization,
        cameras: checkpoint.cameras, registry: start.registry),
      count: configuration.environments, seed: start.seed,
      images: RolloutImages(
        augmentation: configuration.augmentsImages
          ? checkpoint.configuration.encoder.augmentation : nil,
        haveOtherReaders: !configuration.critic.sharesEncoder),
      communicator: start.communicator)
    func optimizer(_ parameters: NamedParameters) -> Adam {
      .withDecoupledDecay(parameters, weightDecay: Float(configuration.weightDecay))
    }
    policyOptimizer = optimizer(policy.parameters)
    criticOptimizer = optimizer(critic.parameters)
    etaOptimizer = policy.explorationParameters.map(optimizer)
    scaler = RewardScaler(
      environmentCount: configuration.environments, gamma: configuration.gamma)
  }

  /// The policy's schedules begin after the critic's warm-up.
  func setLearningRates(iteration: Int, _ metrics: inout Metrics) {
    let improved = max(iteration - configuration.criticWarmUpCount, 0)
    let policy = configuration.policyLearningRate.schedule.rate(atStep: improved)
    let critic = configuration.criticLearningRate.schedule.rate(atStep: iteration)
    policyOptimizer.learningRate = Float(policy)
    criticOptimizer.learningRate = Float(critic)
    etaOptimizer?.learningRate = Float(
      configuration.etaLearningRate.schedule.rate(atStep: improved))
    metrics["policyLearningRate"] = policy
    metrics["criticLearningRate"] = critic
  }

  /// A step of the policy's optimizer, and of the learned eta's at its interval; returns the norm
  /// of the policy's gradient.
  ///
  /// - Throws: `NonFiniteGradient`; no step has been taken then.
  func stepPolicy(_ gradients: Gradients, loss: Double, number: Int) throws -> Double {
    let norm = try policyOptimizer.step(
      gradients, of: policy.parameters, normLimit: configuration.gradientNormLimit,
      loss: loss, "policy loss")
    if let etaOptimizer, number % configuration.etaUpdateInterval == 0 {
      etaOptimizer.step(gradients)
    }
    return norm
  }

  /// A step of the critic's optimizer; returns the norm of its gradient.
  ///
  /// - Throws: `NonFiniteGradient`; no step has been taken then.
  func stepCritic(_ gradients: Gradients, loss: Double) throws -> Double {
    try criticOptimizer.step(
      gradients, of: critic.parameters, normLimit: 0, loss: loss, "value loss")
  }

  // MARK: Going on later

  private var weights: [String: Tensor] {
    policy.weights.merging(critic.parameters.values.prefixed("critic")) { first, _ in first }
  }

  /// The policy as it is now, with its critic.
  func checkpoint(origin: [String: String]) -> PolicyCheckpoint {
    var checkpoint = start
    checkpoint.weights = weights
    checkpoint.fineTunedSteps =
      start.configuration.network.kind.isDenoiser ? policy.transitionCount : 0
    checkpoint.critic = configuration.critic
    checkpoint.exploration = configuration.exploration
    checkpoint.origin.merge(origin) { $1 }
    return checkpoint
  }

  private struct Progress: Codable {
    var scaler: RewardScaler
    var collector: RolloutCollector.State

    private enum CodingKeys: CodingKey { case scaler, collector, collectors }

    init(scaler: RewardScaler, collector: RolloutCollector.State) {
      self.scaler = scaler
      self.collector = collector
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(scaler, forKey: .scaler)
      try container.encode(collector, forKey: .collector)
    }

    /// Reads also what earlier versions wrote: a list with one.
    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      scaler = try container.decode(RewardScaler.self, forKey: .scaler)
      guard container.contains(.collectors) else {
        collector = try container.decode(RolloutCollector.State.self, forKey: .collector)
        return
      }
      let collectors = try container.decode([RolloutCollector.State].self, forKey: .collectors)
      guard let first = collectors.first, collectors.count == 1 else {
        throw DecodingError.dataCorruptedError(
          forKey: .collectors, in: container, debugDescription: "not the state of one process")
      }
      collector = first
    }
  }

  /// - Throws: `EncodingError` if a number is not finite.
  func trainingState() throws -> TrainingState {
    var state = TrainingState()
    state.add(weights, under: "weights")
    state.add(policyOptimizer.state, under: "policyOptimizer")
    state.add(criticOptimizer.state, under: "criticOptimizer")
    if let etaOptimizer { state.add(etaOptimizer.state, under: "etaOptimizer") }
    state.numbers["fineTunedSteps"] = policy.transitionCount
    state.numbers["environments"] = configuration.environments
    // An iteration that begins with new episodes needs nothing of those that run.
    let progress = Progress(
      scaler: scaler,
      collector: try collector.state(withEpisodes: !configuration.resetsEachIteration))
    state.texts["progress"] = String(decoding: try JSONEncoder().encode(progress), as: UTF8.self)
    return state
  }

  /// - Throws: `ConfigurationError` for a setting that cannot change, `ParameterError`,
  ///   `EnvironmentError` or `DecodingError` if they belong to another training.
  func restore(_ state: TrainingState) throws {
    // States from before this was checked do not say it.
    let environmentCount = state.numbers["environments"] ?? configuration.environments
    try ConfigurationError.require(
      configuration.environments == environmentCount, "environments",
      configuration.environments,
      "\(environmentCount), with which the run was started: their episodes continue")
    let count = try state.number("fineTunedSteps")
    // K' falls by annealing alone, and never rises.
    try ConfigurationError.require(
      count == policy.transitionCount
        || count < policy.transitionCount && configuration.annealingInterval > 0,
      "fineTunedSteps", configuration.fineTunedSteps, "\(count), which the checkpoint has learned")
    if count < policy.transitionCount { try policy.reduceTransitionCount(to: count) }
    let weights = state.tensors(under: "weights")
    try policy.load(weights)
    try critic.parameters.load(weights.under("critic"))
    try policyOptimizer.restore(state.optimizer(under: "policyOptimizer"))
    try criticOptimizer.restore(state.optimizer(under: "criticOptimizer"))
    try etaOptimizer?.restore(state.optimizer(under: "etaOptimizer"))
    let progress = try JSONDecoder().decode(
      Progress.self, from: Data(try state.text("progress").utf8))
    scaler = progress.scaler
    try collector.restore(progress.collector)
  }
}
