import Configuration
import Diffusion
import Environments
import NeuralNetworks
import ReinforcementLearning
import Tensors

/// Diffusion policy policy optimization (DPPO, Ren et al., arXiv:2409.00588): PPO in the Markov
/// decision process whose steps are the last K' denoising steps of each decision, inside the
/// environment's own steps.
///
/// An iteration is a rollout, advantages, and several passes over minibatches of pairs (decision x
/// denoising step). Where a decision is a single transition, K' = 1, the same is PPO over action
/// chunks: `GaussianPPO` and `GaussianMixturePPO`.
///
/// Every random number is a function of (seed, purpose, iteration, environment, decision): a
/// restored training goes on exactly.
public final class DPPO<Policy: LikelihoodPolicy>: PolicyTrainer {
  /// How the policy is improved.
  public let configuration: DPPOConfiguration
  /// What is improved.
  public var policy: Policy { actorCritic.policy }
  /// Iterations done.
  public private(set) var iteration = 0
  /// Actions decided so far, as the reference counts: each is a step of an environment, but for
  /// those of a chunk that its episode's end cut short.
  public private(set) var environmentSteps = 0
  /// The episodes that ended in the last iteration, as the exploring policy played them.
  public private(set) var finishedEpisodes: [EpisodeStatistics] = []

  private let actorCritic: ActorCritic<Policy>
  private let loss: DPPOLoss<Policy>
  private let seed: UInt64
  private let communicator: any Communicator

  /// - Parameters:
  ///   - start: what the training starts from, or goes on with.
  ///   - policy: that of its checkpoint.
  /// - Throws: `ConfigurationError`, `ParameterError` or `EnvironmentError` for parts that do not
  ///   fit, and what `restore(_:)` throws.
  public init(_ start: PolicyTrainingStart, policy: Policy) throws {
    configuration = start.configuration
    seed = start.seed
    communicator = start.communicator
    actorCritic = try ActorCritic(start, policy: policy)
    loss = DPPOLoss(
      policy: policy, critic: actorCritic.critic, configuration: configuration,
      communicator: communicator)
    if let state = start.state { try restore(state) }
  }

  /// Rolls out, computes advantages and improves once.
  ///
  /// - Throws: `NonFiniteGradient`, before it reaches a weight; what the communicator throws.
  public func iterate() throws -> Metrics {
    var metrics = Metrics([
      "policyLoss": .mean, "valueLoss": .mean, "entropy": .mean, "bcLoss": .mean,
      "approximateKL": .mean, "maxApproximateKL": .maximum, "clipFraction": .mean,
      "ratio": .mean, "policyGradientNorm": .mean, "criticGradientNorm": .mean,
      "minibatches": .sum,
    ])
    // 1. The policy acts.
    let collector = actorCritic.collector
    if configuration.resetsEachIteration && iteration > 0 {
      try collector.startNextEpisodes()
    }
    let rollout = try collector.collect(
      policy, rolloutSteps: configuration.rolloutSteps, iteration: iteration, &metrics)
    environmentSteps += rollout.count * actorCritic.start.configuration.actionSteps
    finishedEpisodes = rollout.episodes.flatMap { $0 }
    let begin = ContinuousClock.now
    // 2. The critic tells what that was worth.
    let estimates = AdvantageEstimates(
      rollout, critic: actorCritic.critic, configuration: configuration,
      scaler: &actorCritic.scaler)
    // 3. What was worth more than expected becomes more probable.
    actorCritic.setLearningRates(iteration: iteration, &metrics)
    try improve(rollout, estimates, &metrics)
    record(rollout, estimates, &metrics)
    // 4. K' falls, if it is annealed.
    try annealTransitionCount()
    iteration += 1
    metrics.add(ContinuousClock.now - begin, to: "update")
    return metrics
  }

  /// Several passes over all pairs of decision and denoising step, in minibatches of another
  /// permutation each; what does not fill a minibatch waits for the next pass.
  private func improve(
    _ rollout: Rollout, _ estimates: AdvantageEstimates, _ metrics: inout Metrics
  ) throws {
    let order = RandomStream(seed: seed, purpose: "minibatches", index: iteration)
    let (rows, steps) = (rollout.learnableRows, policy.transitionCount)
    let pairCount = rows.count * steps
    // Every episode was lost: there is nothing to learn from.
    guard pairCount > 0 else { return }
    let size = min(configuration.batchSize, pairCount)
    let minibatchCount = pairCount / size
    for epoch in 0..<configuration.epochs {
      var order = order.split(epoch)
      let pairs = order.permutation(pairCount).map { rows[$0 / steps] * steps + $0 % steps }
      for place in 0..<minibatchCount {
        let chosen = pairs[place * size..<(place + 1) * size]
        var approximateKL = 0.0
        if iteration >= configuration.criticWarmUpCount {
          approximateKL = try improvePolicy(
            rollout, estimates, chosen, number: epoch * minibatchCount + place, &metrics)
        }
        try improveCritic(rollout, estimates, chosen, &metrics)
        metrics.add("minibatches", 1)
        // target_kl: the next minibatch would move a policy that has moved too far.
        let limit = configuration.targetKL
        if limit > 0, approximateKL > limit { return }
      }
    }
  }

  /// A step of the policy's optimizer on one minibatch; returns the approximate KL divergence
  /// before it.
  private func improvePolicy(
    _ rollout: Rollout, _ estimates: AdvantageEstimates, _ pairs: ArraySlice<Int>, number: Int,
    _ metrics: inout Metrics
  ) throws -> Double {
    let batch = loss.batch(rollout, advantages: estimates.advantages, pairs)
    let cloning = RandomStream(seed: seed, purpose: "cloning", index: iteration).split(number)
    let (sums, gradients) = try loss.policyGradients(batch) { [policy] rows, observations in
      policy.frozenStates(on: observations, streams: rows.map { cloning.split($0) })
    }
    let norm = try actorCritic.stepPolicy(gradients, loss: sums["policyLoss"], number: number)
    let statistics = ProximalPolicyLoss.Statistics(sums)
    let approximateKL = statistics.divergence / statistics.count
    metrics.add("policyLoss", sums["policyLoss"])
    metrics.add("entropy", sums["entropy"])
    metrics.add("bcLoss", sums["bcLoss"])
    metrics.add("approximateKL", approximateKL)
    metrics.add("maxApproximateKL", approximateKL)
    metrics.add("clipFraction", statistics.clipped / statistics.count)
    metrics.add("ratio", statistics.ratio / statistics.count)
    metrics.add("policyGradientNorm", norm)
    return approximateKL
  }

  /// A step of the critic's optimizer on the decisions of one minibatch.
  private func improveCritic(
    _ rollout: Rollout, _ estimates: AdvantageEstimates, _ pairs: ArraySlice<Int>,
    _ metrics: inout Metrics
  ) throws {
    let batch = CriticBatch(rollout, estimates, pairs, transitionCount: policy.transitionCount)
    let (value, gradients) = try loss.criticGradients(batch)
    metrics.add("valueLoss", value)
    metrics.add("criticGradientNorm", try actorCritic.stepCritic(gradients, loss: value))
  }

  private func record(
    _ rollout: Rollout, _ estimates: AdvantageEstimates, _ metrics: inout Metrics
  ) {
    let rows = rollout.learnableRows
    metrics["explainedVariance"] =
      explainedVariance(
        values: rows.map { estimates.values[$0] }, returns: rows.map { estimates.returns[$0] })
      ?? .nan
    if let restarts = rollout.restarts {
      metrics["environmentRestarts"] = Double(restarts)
      metrics["lostDecisions"] = Double(rollout.count - rows.count)
    }
    metrics["rewardScale"] = configuration.scalesRewards ? actorCritic.scaler.scale : 1
    metrics["fineTunedSteps"] = Double(policy.transitionCount)
    metrics.record(finishedEpisodes)
  }

  private func annealTransitionCount() throws {
    let interval = configuration.annealingInterval
    guard interval > 0, (iteration + 1) % interval == 0, policy.transitionCount > 1 else { return }
    try policy.reduceTransitionCount(
      to: max(1, policy.transitionCount - configuration.annealingStep))
  }

  /// The policy as it is now, with its critic.
  public func checkpoint(origin: [String: String]) -> PolicyCheckpoint {
    actorCritic.checkpoint(origin: origin)
  }

  /// Everything that the following iterations depend on; the weights under `weights.`.
  public func trainingState() throws -> TrainingState {
    var state = try actorCritic.trainingState()
    state.numbers["iteration"] = iteration
    state.numbers["environmentSteps"] = environmentSteps
    return state
  }

  /// Goes on from a saved state.
  ///
  /// - Throws: `ConfigurationError` for a setting that cannot change, `ParameterError`,
  ///   `EnvironmentError` or `DecodingError` if they belong to another training.
  public func restore(_ state: TrainingState) throws {
    try actorCritic.restore(state)
    iteration = try state.number("iteration")
    environmentSteps = try state.number("environmentSteps")
  }
}

/// What the decisions of a rollout were worth: generalized advantages over the critic's values, of
/// scaled rewards.
struct AdvantageEstimates {
  /// V(s) before the update, `[T B]`.
  var values: [Float]
  /// `[T B]`
  var advantages: [Float]
  /// `[T B]`
  var returns: [Float]
}

extension AdvantageEstimates {
  /// Takes the rewards into the scaler, as the reference does: they are divided by the running
  /// standard deviation of returns.
  init(
    _ rollout: Rollout, critic: ObservingCritic, configuration: DPPOConfiguration,
    scaler: inout RewardScaler
  ) {
    func value(_ observations: Observations) -> [Float] {
      let readsImages = critic.encoder != nil && !observations.images.isEmpty
      return shardedMap(count: observations.count, shardSize: readsImages ? 64 : 512) {
        critic(observations.slice($0))
      }.elements
    }
    let values = value(rollout.observations)
    let finalValues = value(rollout.finalObservations)
    let scaled =
      configuration.scalesRewards
      ? scaler(rollout.rewards, isFirst: rollout.isFirst, isLost: rollout.isLost)
      : rollout.rewards
    let factor = Float(configuration.rewardFactor)
    let rewards = RolloutRewards(
      rewards: scaled.map { $0 * factor }, values: values,
      nextValues: rollout.finalRows.enumerated().map { row, final in
        final.map { finalValues[$0] } ?? values[row + rollout.environmentCount]
      },
      isTerminated: rollout.isTerminated, isFinished: rollout.isFinished,
      isLost: rollout.isLost, environmentCount: rollout.environmentCount)
    let (advantages, returns) = rewards.generalizedAdvantages(
      gamma: Float(configuration.gamma), gaeLambda: Float(configuration.gaeLambda))
    self.init(values: values, advantages: advantages, returns: returns)
  }
}

extension Observations {
  /// Whether the policy's encoder reads their images in the update.
  fileprivate var areReadAgain: Bool { encoding == nil && !images.isEmpty }
}

extension Observations: RowSliceable {
  /// Rows in a range.
  public func rows(_ range: Range<Int>) -> Observations { slice(range) }
}

/// The decisions of a minibatch, each once, for the critic.
///
/// A minibatch has the same decision at several denoising steps. The critic sees no more than the
/// observation, so that one evaluation, weighted by their number, is the same as all of them.
struct CriticBatch: Sendable {
  /// `N` of them.
  var observations: Observations
  /// `[N]`
  var returns: Tensor
  /// Before the update, `[N]`.
  var oldValues: Tensor
  /// How often each decision is in the minibatch, over M, `[N]`.
  var weights: Tensor

  /// The decisions of pairs (decision x K' + step).
  init(
    _ rollout: Rollout, _ estimates: AdvantageEstimates, _ pairs: ArraySlice<Int>,
    transitionCount: Int
  ) {
    var counts = [Int](repeating: 0, count: rollout.count)
    for pair in pairs { counts[pair / transitionCount] += 1 }
    let rows = counts.indices.filter { counts[$0] > 0 }
    observations = rollout.observations.gather(rows)
    returns = Tensor(rows.map { estimates.returns[$0] })
    oldValues = Tensor(rows.map { estimates.values[$0] })
    weights = Tensor(rows.map { Float(counts[$0]) / Float(pairs.count) })
  }
}

/// policy loss - entropy x coefficient + cloning loss x coefficient + value loss x coefficient.
///
/// The policy's terms and the critic's share no parameters, so each is differentiated on its own.
struct DPPOLoss<Policy: LikelihoodPolicy>: Sendable {
  let policy: Policy
  let critic: ObservingCritic
  let configuration: DPPOConfiguration
  let communicator: any Communicator

  /// Rows that a worker takes through a network at once, so that activations stay in its cache:
  /// whole tiles of 14 rows, as the matrix product has them.
  private static var shardSize: Int { 252 }
  /// Images that it takes through an encoder at once: each has as many activations as hundreds of
  /// states.
  private static var imageShardSize: Int { 28 }

  /// The transitions of some pairs (decision x K' + step): advantages are normalized in the
  /// minibatch, then weighted by gamma_denoise^(K' - 1 - k); the clip range widens with k.
  ///
  /// Where images are read, pairs of the same decision are brought together: a worker reads an image
  /// once for all of its denoising steps.
  func batch(
    _ rollout: Rollout, advantages: [Float], _ pairs: ArraySlice<Int>
  ) -> TransitionBatch<Observations> {
    let count = policy.transitionCount
    let pairs = rollout.observations.areReadAgain ? pairs.sorted()[...] : pairs
    let transitions = RecordedTransitions(
      stackedStates: rollout.states, firstIndex: policy.firstTransition, transitions: pairs)
    let scaled = configuration.advantageScaling(transitions.sampleRows.map { advantages[$0] })
    let gammas = denoisingGammas(configuration.gammaDenoising, count: count)
    let clipRanges = configuration.clipSchedule.ranges(count: count)
    return TransitionBatch(
      transitions: transitions, conditions: rollout.observations.gather(transitions.sampleRows),
      oldLogProbabilities: Tensor(pairs.map { rollout.logProbabilities[$0] }),
      advantages: Tensor(zip(scaled, transitions.positions).map { $0 * gammas[$1] }),
      clipRanges: Tensor(transitions.positions.map { clipRanges[$0] }))
  }

  /// As many pairs as have an encoder's images at once.
  private static func shardSize(of batch: TransitionBatch<Observations>) -> Int {
    guard batch.conditions.areReadAgain else { return shardSize }
    let decisions = Set(batch.transitions.sampleRows).count
    return imageShardSize * max(1, batch.count / max(decisions, 1))
  }

  /// The policy's part.
  ///
  /// - Parameters:
  ///   - batch: the transitions on their observations.
  ///   - frozenStates: what the frozen policy does on the observations of some rows; asked for with
  ///     a cloning coefficient only.
  /// - Returns: `policyLoss`, `entropy`, `bcLoss` and the sums of `ProximalPolicyLoss.Statistics`.
  func policyGradients(
    _ batch: TransitionBatch<Observations>,
    frozenStates: @Sendable (_ rows: Range<Int>, _ observations: Observations) -> Tensor
  ) throws -> (sums: NamedSums, gradients: Gradients) {
    let scale = 1 / Float(batch.count)
    let entropyCoefficient = Float(configuration.entropyCoefficient)
    let bcLossCoefficient = Float(configuration.bcLossCoefficient)
    return try batch.clippedObjective(
      of: policy.allParameters, shardSize: Self.shardSize(of: batch), over: communicator
    ) { shard, rows in
      let observations = shard.conditions
      var terms = PolicyTerms(
        logProbabilities: policy.logProbabilities(
          of: shard.transitions, observations: observations))
      var (entropySum, cloningSum) = (0.0, 0.0)
      if entropyCoefficient != 0, let entropy = policy.entropy(observations: observations) {
        let fraction = Float(rows.count) * scale
        terms.penalties.append(entropy * (-entropyCoefficient * fraction))
        entropySum = Double(entropy.scalar * fraction)
      }
      if bcLossCoefficient != 0 {
        let cloning = -policy.cloningLogProbabilities(
          of: frozenStates(rows, observations), observations: observations
        ).sum()
        terms.penalties.append(cloning * (bcLossCoefficient * scale))
        cloningSum = Double(cloning.scalar * scale)
      }
      terms.sums = ["entropy": entropySum, "bcLoss": cloningSum]
      return terms
    }
  }

  /// The critic's part: the value loss, and the gradient of its product with the coefficient.
  func criticGradients(
    _ batch: CriticBatch
  ) throws -> (loss: Double, gradients: Gradients) {
    let range = configuration.valueClipRange
    let coefficient = Float(configuration.valueCoefficient)
    let readsImages = critic.encoder != nil && !batch.observations.images.isEmpty
    let result = try communicator.shardedValueAndGradients(
      count: batch.observations.count,
      shardSize: readsImages ? Self.imageShardSize : Self.shardSize,
      of: critic.parameters
    ) { rows in
      let errors = valueErrors(
        values: critic(batch.observations.slice(rows)), returns: batch.returns.slice(rows),
        oldValues: batch.oldValues.slice(rows), limit: range > 0 ? Float(range) : nil)
      let loss = (errors * batch.weights.slice(rows)).sum()
      return ShardResult(loss: loss * coefficient, sums: ["valueLoss": Double(loss.scalar)])
    }
    return (result.sums["valueLoss"], result.gradients)
  }
}
