import Configuration
import Environments
import Foundation
import NeuralNetworks
import ReinforcementLearning
import Tensors

/// What an algorithm does that learns off policy; `OffPolicyTraining` does the rest.
protocol OffPolicyMethod: AnyObject {
  /// What it improves.
  associatedtype Policy: TrainablePolicy

  /// What is improved.
  var policy: Policy { get }
  /// The numbers of an action as the replay buffer keeps it.
  var storedSize: Int { get }
  /// The metrics that it adds up.
  static var metrics: KeyValuePairs<String, Metrics.Kind> { get }
  /// Whether it draws from the replay buffer; otherwise it keeps what it learns from itself.
  static var usesReplay: Bool { get }

  /// Decides in order to learn; as the policy was before, while it warms up.
  func decide(
    on observations: Observations, isWarmingUp: Bool, streams: [RandomStream]
  ) -> OffPolicyDecision

  /// What the replay buffer keeps of demonstrated chunks `[N, Tp, Da]`, `[N, A]`; nil if it cannot learn
  /// from them.
  func stored(_ chunks: Tensor) -> Tensor?

  /// What one may not expect of it, one sentence each.
  var notes: [String] { get }

  /// Told of every decision of all environments, and where the replay buffer has put it.
  func kept(_ step: ReplayStep, in slots: Range<Int>)

  /// Told that all running episodes are abandoned.
  func abandonEpisodes()

  /// Learns from what there is.
  ///
  /// - Throws: `NonFiniteGradient`, before it reaches a weight.
  func improve(_ replay: ReplayMemory, random: RandomStream, _ metrics: inout Metrics) throws

  /// Puts what was learned into the checkpoint that the training started from.
  func store(in checkpoint: inout PolicyCheckpoint)

  /// All that it knows, the policy's own weights aside.
  var state: TrainingState { get }

  /// Goes on from a saved state, the policy's weights among the checkpoint's.
  ///
  /// - Throws: `ParameterError` if it belongs to another training.
  func restore(_ state: TrainingState, weights: [String: Tensor]) throws
}

extension OffPolicyMethod {
  /// Most do as one expects,
  var notes: [String] { [] }
  /// draw from the replay buffer,
  static var usesReplay: Bool { true }
  /// which keeps decisions for them
  func kept(_ step: ReplayStep, in slots: Range<Int>) {}
  /// and knows the ends of episodes.
  func abandonEpisodes() {}
}

/// The loop that off-policy algorithms have in common: a decision in every environment into the replay
/// buffer, and every few decisions some updates.
///
/// Every random number is a function of (seed, purpose, iteration, environment, decision or update): a
/// restored training goes on exactly, with the buffer in its checkpoint.
final class OffPolicyTraining<Method: OffPolicyMethod>: PolicyTrainer {
  let configuration: DPPOConfiguration
  let offPolicy: OffPolicyConfiguration
  var policy: Method.Policy { method.policy }
  private(set) var iteration = 0
  private(set) var environmentSteps = 0
  private(set) var finishedEpisodes: [EpisodeStatistics] = []
  let notes: [String]

  private let method: Method
  private let start: PolicyCheckpoint
  private let seed: UInt64
  private let collector: OffPolicyCollector
  private var replay: ReplayMemory
  /// Decisions of each environment so far.
  private var decisions = 0

  /// - Parameters:
  ///   - start: what the training starts from, or goes on with.
  ///   - method: what learns.
  /// - Throws: `ConfigurationError`, `ParameterError` or `EnvironmentError` for parts that do not fit.
  init(_ start: PolicyTrainingStart, method: Method) throws {
    configuration = start.configuration
    offPolicy = start.offPolicy
    self.start = start.checkpoint
    self.method = method
    seed = start.seed
    let checkpoint = start.checkpoint
    try ConfigurationError.require(
      start.communicator.processCount == 1, "processes", start.communicator.processCount,
      "1: algorithms that learn off policy have one replay buffer")
    try ConfigurationError.require(
      checkpoint.cameras.isEmpty, "checkpoint", "a policy that sees images",
      "one that sees states alone: the replay buffer keeps no images")
    let chunkGamma: Float =
      offPolicy.chunkDiscount == .perStep ? Float(configuration.gamma) : 1
    let rewardFactor = Float(configuration.rewardFactor)
    collector = try OffPolicyCollector(
      try PolicyEnvironment(
        checkpoint.configuration, normalization: checkpoint.normalization,
        cameras: checkpoint.cameras, registry: start.registry),
      count: configuration.environments, seed: start.seed, chunkGamma: chunkGamma,
      rewardFactor: rewardFactor)
    var notes = offPolicy.notes(configuration) + method.notes
    var demonstrated: ReplayBuffer?
    if let settings = offPolicy.demonstrations {
      try ConfigurationError.require(
        method.stored(
          .zeros([1, checkpoint.configuration.horizonSteps, checkpoint.actionSize])) != nil,
        "offPolicy.demonstrations", "demonstrations",
        "none: this algorithm, or its variant, cannot learn from chunks that it did not draw itself"
      )
      let demonstrations = try settings.read(
        for: checkpoint.configuration.environment, registry: start.registry)
      notes += demonstrations.notes
      let buffer = try ReplayBuffer(
        demonstrations, for: checkpoint, chunkGamma: chunkGamma, rewardFactor: rewardFactor
      ) { method.stored($0) ?? $0 }
      notes.append(
        "each batch has \(Int((offPolicy.demonstrationFraction * 100).rounded()))% demonstrations, "
          + "of \(buffer.slotCount) decisions in \(demonstrations.lengths.count) episodes")
      demonstrated = buffer
    }
    self.notes = notes
    replay = ReplayMemory(
      online: ReplayBuffer(
        observationSize: checkpoint.layout.stepCount * checkpoint.layout.stateSize,
        actionSize: method.storedSize, environmentCount: configuration.environments,
        capacity: Method.usesReplay ? offPolicy.capacity : 1),
      demonstrations: demonstrated, demonstrationFraction: offPolicy.demonstrationFraction,
      returns: offPolicy.returns(gamma: configuration.gamma))
    if let state = start.state { try restore(state) }
  }

  func iterate() throws -> Metrics {
    var metrics = Metrics(Method.metrics)
    if configuration.resetsEachIteration && iteration > 0 {
      try collector.startNextEpisodes()
      replay.online.endEpisodes()
      method.abandonEpisodes()
    }
    finishedEpisodes = []
    let noise = (0..<configuration.environments).map {
      RandomStream(seed: seed, purpose: "actions", index: $0).split(iteration)
    }
    let updates = RandomStream(seed: seed, purpose: "updates", index: iteration)
    for decision in 0..<configuration.rolloutSteps {
      let isWarmingUp = decisions < offPolicy.warmUpDecisions
      let (step, episodes) = try collector.step(&metrics) { observations in
        method.decide(
          on: observations, isWarmingUp: isWarmingUp, streams: noise.map { $0.split(decision) })
      }
      method.kept(step, in: replay.online.append(step))
      finishedEpisodes += episodes
      decisions += 1
      guard isDue(isLast: decision == configuration.rolloutSteps - 1), !replay.isEmpty else {
        continue
      }
      try improve(random: updates.split(decision), &metrics)
    }
    environmentSteps +=
      configuration.rolloutSteps * configuration.environments * start.configuration.actionSteps
    iteration += 1
    if Method.usesReplay {
      metrics["replayTransitions"] = Double(replay.online.learnableCount)
    }
    metrics.record(finishedEpisodes)
    if let restarts = collector.takeRestarts() { metrics["environmentRestarts"] = Double(restarts) }
    return metrics
  }

  private func improve(random: RandomStream, _ metrics: inout Metrics) throws {
    let begin = ContinuousClock.now
    try method.improve(replay, random: random, &metrics)
    metrics.add(ContinuousClock.now - begin, to: "update")
  }

  /// Whether updates come after the decision that was just made.
  private func isDue(isLast: Bool) -> Bool {
    let learned = decisions - offPolicy.warmUpDecisions
    guard offPolicy.updateInterval > 0 else { return isLast && learned >= 0 }
    return learned > 0 && learned.isMultiple(of: offPolicy.updateInterval)
  }

  func checkpoint(origin: [String: String]) -> PolicyCheckpoint {
    var checkpoint = start
    // What the training started from may have had others.
    (checkpoint.critic, checkpoint.qFunction, checkpoint.bestOf) = (nil, nil, nil)
    method.store(in: &checkpoint)
    checkpoint.origin.merge(origin) { $1 }
    return checkpoint
  }

  func trainingState() throws -> TrainingState {
    var state = TrainingState()
    state.add(checkpoint().weights, under: "weights")
    state.add(method.state, under: "method")
    state.add(replay.online.state, under: "replay")
    let environments = try collector.state(withEpisodes: !configuration.resetsEachIteration)
    state.texts["environments"] = String(
      decoding: try JSONEncoder().encode(environments), as: UTF8.self)
    state.numbers["environmentCount"] = configuration.environments
    state.numbers["iteration"] = iteration
    state.numbers["environmentSteps"] = environmentSteps
    state.numbers["decisions"] = decisions
    return state
  }

  func restore(_ state: TrainingState) throws {
    let environmentCount = try state.number("environmentCount")
    try ConfigurationError.require(
      configuration.environments == environmentCount, "environments",
      configuration.environments,
      "\(environmentCount), with which the run was started: their episodes continue")
    try method.restore(state.state(under: "method"), weights: state.tensors(under: "weights"))
    try replay.online.restore(state.state(under: "replay"))
    try collector.restore(
      JSONDecoder().decode(
        OffPolicyCollector.State.self, from: Data(try state.text("environments").utf8)))
    iteration = try state.number("iteration")
    environmentSteps = try state.number("environmentSteps")
    decisions = try state.number("decisions")
  }
}

extension OffPolicyConfiguration {
  /// What may be otherwise than one expects.
  func notes(_ training: DPPOConfiguration) -> [String] {
    let steps = training.rolloutSteps
    var notes: [String] = []
    if warmUpDecisions > 0 {
      notes.append(
        "the first \(warmUpDecisions) decisions of each environment (\(steps) in an iteration) are the "
          + "policy's as it was, and nothing is learned until then")
    }
    return notes
  }
}

extension Metrics {
  /// What the episodes of an iteration came to, as the exploring policy played them.
  mutating func record(_ episodes: [EpisodeStatistics]) {
    self["episodes"] = Double(episodes.count)
    guard !episodes.isEmpty else { return }
    let summary = EvaluationSummary(environment: "", episodes)
    self["episodeReturn"] = summary.meanReturn
    self["episodeBestReward"] = summary.bestRewardMean
    self["episodeLength"] = summary.meanLength
    self["episodeSuccessRate"] = summary.successRate
  }
}
