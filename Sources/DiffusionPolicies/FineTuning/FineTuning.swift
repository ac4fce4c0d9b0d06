import Environments
import Foundation
import NeuralNetworks
import ReinforcementLearning
import Tensors

/// DPPO: PPO over the denoising steps inside the environment's steps (arXiv:2409.00588); for a
/// Gaussian policy, PPO over chunks.
///
/// An iteration lets the policy act, judges what it did, and improves it. Everything random in it
/// is a function of the seed and the iteration's number, so that a restored training goes on
/// exactly.
public final class FineTuning: Trainer {
  /// How it is improved.
  public let configuration: FineTuningConfiguration
  /// What is improved.
  public let policy: any ChunkPolicy
  /// Iterations done.
  public private(set) var iteration = 0
  /// Actions decided so far, as the reference counts: each is a step of an environment, but for
  /// those of a chunk that its episode's end cut short.
  public private(set) var environmentSteps = 0
  /// The episodes that ended in the last iteration, as the exploring policy played them.
  public private(set) var finishedEpisodes: [EpisodeStatistics] = []

  private let start: PolicyCheckpoint
  private let critic: Critic
  private let collector: RolloutCollector
  private let policyOptimizer: Adam
  private let criticOptimizer: Adam
  private let etaOptimizer: Adam?
  private let update: PolicyUpdate
  private var scaler: RewardScaler
  private let seed: UInt64
  private let communicator: any Communicator

  /// - Parameters:
  ///   - checkpoint: the policy to start from, with the critic to go on with if it has one of the
  ///     same kind.
  ///   - configuration: how to improve it.
  ///   - seed: decides the critic's first weights, starts, noise and minibatches.
  ///   - registry: knows the environment.
  ///   - communicator: sums gradients over processes, which need different seeds for their
  ///     rollouts.
  /// - Throws: `SettingError`, `ParameterError` or `EnvironmentError` for parts that do not fit.
  public convenience init(
    _ checkpoint: PolicyCheckpoint, configuration: FineTuningConfiguration, seed: UInt64,
    registry: EnvironmentRegistry = .standard, communicator: any Communicator = SingleProcess()
  ) throws {
    try self.init(
      start: try checkpoint.start(ofFineTuning: configuration.fineTunedCount),
      configuration: configuration, seed: seed, registry: registry, communicator: communicator)
  }

  /// Goes on with a training from one of its own checkpoints, which holds all that it needs: what
  /// it was started from is not read again.
  ///
  /// - Parameters:
  ///   - checkpoint: what `checkpoint(origin:)` gave.
  ///   - state: what `trainingState()` gave with it.
  ///   - configuration: how to improve it.
  ///   - seed: that of the training.
  ///   - registry: knows the environment.
  ///   - communicator: sums gradients over processes.
  /// - Throws: what `restore(_:)` throws, and what starting a training throws.
  public convenience init(
    resuming checkpoint: PolicyCheckpoint, _ state: TrainingState,
    configuration: FineTuningConfiguration, seed: UInt64,
    registry: EnvironmentRegistry = .standard, communicator: any Communicator = SingleProcess()
  ) throws {
    try self.init(
      start: checkpoint, configuration: configuration, seed: seed, registry: registry,
      communicator: communicator)
    try restore(state)
  }

  private init(
    start checkpoint: PolicyCheckpoint, configuration: FineTuningConfiguration, seed: UInt64,
    registry: EnvironmentRegistry, communicator: any Communicator
  ) throws {
    try configuration.validate()
    start = checkpoint
    self.configuration = configuration
    self.seed = seed
    self.communicator = communicator
    let policy = try checkpoint.makePolicy(
      exploration: configuration.exploration, fineTuning: configuration.fineTunedCount)
    self.policy = policy
    var random = RandomStream(seed: seed, purpose: "critic")
    critic = try configuration.critic.makeCritic(
      observationSize: checkpoint.observationSize,
      observationCount: checkpoint.configuration.observationCount, random: &random)
    let judged = checkpoint.weights.under("critic")
    if checkpoint.critic == configuration.critic, !judged.isEmpty {
      try critic.parameters.load(judged)
    }
    collector = try RolloutCollector(
      try PolicyEnvironment(
        checkpoint.configuration, normalization: checkpoint.normalization, registry: registry),
      count: configuration.environmentCount, seed: communicator.seed(seed))
    func optimizer(_ parameters: NamedParameters) -> Adam {
      .withDecoupledDecay(parameters, weightDecay: Float(configuration.weightDecay))
    }
    policyOptimizer = optimizer(policy.parameters)
    criticOptimizer = optimizer(critic.parameters)
    etaOptimizer = policy.explorationParameters.map(optimizer)
    scaler = RewardScaler(
      environmentCount: configuration.environmentCount, discount: configuration.discount)
    update = PolicyUpdate(
      policy: policy, critic: critic,
      entropyCoefficient: Float(configuration.entropyCoefficient),
      valueCoefficient: Float(configuration.valueCoefficient),
      valueClipRange: configuration.valueClipRange > 0 ? Float(configuration.valueClipRange) : nil,
      cloningCoefficient: Float(configuration.cloningCoefficient))
  }

  /// What an iteration leaves out of the updates, one sentence each.
  public var notes: [String] {
    let counts = (
      configuration.environmentCount, configuration.decisionCount, policy.transitionCount
    )
    let pairCount = counts.0 * counts.1 * counts.2
    let pairs =
      "\(pairCount) pairs of chunk and denoising step (\(counts.0) environments x "
      + "\(counts.1) chunks x \(counts.2) steps)"
    let size = configuration.batchSize
    guard size <= pairCount else {
      return ["minibatches have all \(pairs), fewer than training.batchSize, which is \(size)"]
    }
    let left = pairCount % size
    guard left > 0 else { return [] }
    return [
      "each epoch leaves out \(left) of \(pairs), which do not fill a minibatch of \(size); "
        + "others in every epoch"
    ]
  }

  /// How many iterations there are to be.
  public var iterations: Int { configuration.iterationCount }
  /// Curves are drawn over steps of the environments.
  public var step: Int { environmentSteps }

  /// Rolls out, computes advantages and improves once.
  ///
  /// - Throws: `NonFiniteGradient`, before it reaches a weight; what the communicator throws.
  public func iterate() throws -> Metrics {
    if configuration.startsEpisodesAnew && iteration > 0 { collector.startNextEpisodes() }
    let (buffer, summary) = collector.collect(
      policy, decisionCount: configuration.decisionCount, iteration: iteration)
    environmentSteps += buffer.count * start.configuration.executedCount
    finishedEpisodes = summary.episodes

    let begin = ContinuousClock.now
    let rollout = JudgedRollout(
      buffer, critic: critic, configuration: configuration, policy: policy, scaler: &scaler)
    let rates = setLearningRates()
    var metrics = Metrics([
      "policyLoss": .mean, "valueLoss": .mean, "entropy": .mean, "cloningLoss": .mean,
      "approximateKL": .mean, "greatestApproximateKL": .maximum, "clipFraction": .mean,
      "ratio": .mean, "policyGradientNorm": .mean, "criticGradientNorm": .mean,
      "minibatches": .sum,
    ])
    try improve(rollout, &metrics)
    metrics["explainedVariance"] =
      explainedVariance(values: rollout.values, returns: rollout.returns) ?? .nan
    metrics["rewardScale"] = configuration.scalesRewards ? scaler.scale : 1
    metrics["fineTunedSteps"] = Double(rollout.transitionCount)
    metrics["policyLearningRate"] = rates.policy
    metrics["criticLearningRate"] = rates.critic
    metrics["episodes"] = Double(finishedEpisodes.count)
    if !finishedEpisodes.isEmpty {
      let summary = EvaluationSummary(environment: "", finishedEpisodes)
      metrics["episodeReturn"] = summary.meanReturn
      metrics["episodeBestReward"] = summary.bestRewardMean
      metrics["episodeLength"] = summary.meanLength
      metrics["episodeSuccessRate"] = summary.successRate
    }
    try annealTransitionCount()
    iteration += 1
    metrics.add(seconds: summary.simulationTime, to: "simulate")
    metrics.add(seconds: summary.samplingTime, to: "sample")
    metrics.add(ContinuousClock.now - begin, to: "update")
    return metrics
  }

  private var isWarmingUp: Bool { iteration < configuration.criticWarmUpCount }

  private func setLearningRates() -> (policy: Double, critic: Double) {
    let improved = max(iteration - configuration.criticWarmUpCount, 0)
    let policy = configuration.policyLearningRate.schedule.rate(atStep: improved)
    let critic = configuration.criticLearningRate.schedule.rate(atStep: iteration)
    policyOptimizer.learningRate = Float(policy)
    criticOptimizer.learningRate = Float(critic)
    etaOptimizer?.learningRate = Float(
      configuration.etaLearningRate.schedule.rate(atStep: improved))
    return (policy, critic)
  }

  /// Several passes over the rollout in minibatches of pairs of decision and denoising step.
  private func improve(_ rollout: JudgedRollout, _ metrics: inout Metrics) throws {
    let order = RandomStream(seed: seed, purpose: "minibatches", index: iteration)
    let cloning = RandomStream(seed: seed, purpose: "cloning", index: iteration)
    let size = min(configuration.batchSize, rollout.pairCount)
    let batchCount = rollout.pairCount / size  // what is left over waits for another permutation
    passes: for epoch in 0..<configuration.epochCount {
      var order = order.split(epoch)
      let pairs = order.permutation(rollout.pairCount)
      for batch in 0..<batchCount {
        let chosen = pairs[batch * size..<(batch + 1) * size]
        let total = size * communicator.processCount
        var divergence = 0.0
        if !isWarmingUp {
          let number = epoch * batchCount + batch
          divergence = try improvePolicy(
            rollout.minibatch(chosen), total, number: number, cloning: cloning.split(number),
            &metrics)
        }
        try improveCritic(rollout.criticBatch(chosen, totalCount: total), &metrics)
        metrics.add("minibatches", 1)
        if configuration.divergenceLimit > 0, divergence > configuration.divergenceLimit {
          break passes
        }
      }
    }
  }

  /// One step of the policy's optimizer; returns the divergence before it.
  private func improvePolicy(
    _ batch: Minibatch, _ total: Int, number: Int, cloning: RandomStream,
    _ metrics: inout Metrics
  ) throws -> Double {
    let result = update.policyGradients(batch, totalCount: total) { [policy] rows, observations in
      policy.frozenStates(on: observations, streams: rows.map { cloning.split($0) })
    }
    let gradients = try communicator.sum(result.gradients, of: policy.parameters)
    let sums = try communicator.sum(
      [result.policyLoss, result.entropy, result.cloningLoss] + result.statistics.numbers)
    let (policyLoss, entropy, cloningLoss) = (sums[0], sums[1], sums[2])
    let statistics = ProximalPolicyLoss.Statistics(numbers: Array(sums[3...]))
    let norm = try policyOptimizer.step(
      gradients, of: policy.parameters, normLimit: configuration.gradientNormLimit,
      loss: policyLoss, "policy loss")
    if let etaOptimizer, let parameters = policy.explorationParameters,
      number % configuration.etaUpdateInterval == 0
    {
      etaOptimizer.step(try communicator.sum(result.gradients, of: parameters))
    }
    let divergence = statistics.divergence / statistics.count
    metrics.add("policyLoss", policyLoss)
    metrics.add("entropy", entropy)
    metrics.add("cloningLoss", cloningLoss)
    metrics.add("approximateKL", divergence)
    metrics.add("greatestApproximateKL", divergence)
    metrics.add("clipFraction", statistics.clipped / statistics.count)
    metrics.add("ratio", statistics.ratio / statistics.count)
    metrics.add("policyGradientNorm", norm)
    return divergence
  }

  private func improveCritic(
    _ batch: CriticBatch, _ metrics: inout Metrics
  ) throws {
    let result = update.criticGradients(batch)
    let gradients = try communicator.sum(result.gradients, of: critic.parameters)
    let loss = try communicator.sum([result.loss])[0]
    let norm = try criticOptimizer.step(
      gradients, of: critic.parameters, normLimit: 0, loss: loss, "value loss")
    metrics.add("valueLoss", loss)
    metrics.add("criticGradientNorm", norm)
  }

  private func annealTransitionCount() throws {
    let interval = configuration.annealingInterval
    guard interval > 0, (iteration + 1) % interval == 0, policy.transitionCount > 1,
      let policy = policy as? DiffusionPolicy
    else { return }
    try policy.reduceTransitionCount(
      to: max(1, policy.transitionCount - configuration.annealingStep))
  }

  /// The policy as it is now, with its critic.
  public func checkpoint(origin: [String: String] = [:]) -> PolicyCheckpoint {
    var checkpoint = start
    checkpoint.weights = weights
    checkpoint.fineTunedCount =
      start.configuration.network.kind == .gaussian ? 0 : policy.transitionCount
    checkpoint.critic = configuration.critic
    checkpoint.exploration = configuration.exploration
    checkpoint.origin.merge(origin) { $1 }
    return checkpoint
  }

  private var weights: [String: Tensor] {
    policy.weights.merging(critic.parameters.values.prefixed("critic")) { first, _ in first }
  }

  // MARK: Going on later

  private struct Progress: Codable {
    var scaler: RewardScaler
    var collector: RolloutCollector.State
  }

  /// Everything that the following iterations depend on; the weights under `weights.`.
  ///
  /// - Throws: `EncodingError` if a number is not finite.
  public func trainingState() throws -> TrainingState {
    var state = TrainingState()
    state.add(weights, under: "weights")
    state.add(policyOptimizer.state, under: "policyOptimizer")
    state.add(criticOptimizer.state, under: "criticOptimizer")
    if let etaOptimizer { state.add(etaOptimizer.state, under: "etaOptimizer") }
    state.numbers["iteration"] = iteration
    state.numbers["environmentSteps"] = environmentSteps
    state.numbers["fineTunedCount"] = policy.transitionCount
    state.numbers["environmentCount"] = configuration.environmentCount
    let progress = Progress(scaler: scaler, collector: collector.state)
    state.texts["progress"] = String(decoding: try JSONEncoder().encode(progress), as: UTF8.self)
    return state
  }

  /// Goes on from a saved state.
  ///
  /// - Throws: `SettingError` for a setting that cannot change, `ParameterError`,
  ///   `EnvironmentError` or `DecodingError` if they belong to another training.
  public func restore(_ state: TrainingState) throws {
    let weights = state.tensors(under: "weights")
    // States from before this was checked do not say it.
    let environmentCount = state.numbers["environmentCount"] ?? configuration.environmentCount
    try SettingError.require(
      configuration.environmentCount == environmentCount, "environmentCount",
      configuration.environmentCount,
      "\(environmentCount), with which the run was started: their episodes go on")
    let count = try state.number("fineTunedCount")
    // K' falls by annealing alone, and never rises.
    try SettingError.require(
      count == policy.transitionCount
        || count < policy.transitionCount && configuration.annealingInterval > 0,
      "fineTunedCount", configuration.fineTunedCount, "\(count), which the checkpoint has learned")
    if count < policy.transitionCount, let policy = policy as? DiffusionPolicy {
      try policy.reduceTransitionCount(to: count)
    }
    try policy.load(weights)
    try critic.parameters.load(weights.under("critic"))
    try policyOptimizer.restore(state.optimizer(under: "policyOptimizer"))
    try criticOptimizer.restore(state.optimizer(under: "criticOptimizer"))
    try etaOptimizer?.restore(state.optimizer(under: "etaOptimizer"))
    let progress = try JSONDecoder().decode(
      Progress.self, from: Data(try state.text("progress").utf8))
    scaler = progress.scaler
    try collector.restore(progress.collector)
    iteration = try state.number("iteration")
    environmentSteps = try state.number("environmentSteps")
  }
}
