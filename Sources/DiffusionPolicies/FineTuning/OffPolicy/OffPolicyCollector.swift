import Environments
import NeuralNetworks
import ReinforcementLearning
import Tensors

/// What a policy decided in order to learn, and what is kept of it.
struct OffPolicyDecision {
  /// `[B, Tp, Da]`
  let chunks: Tensor
  /// What the replay buffer keeps as the action, `[B, A]`.
  let stored: Tensor
}

/// Lets a policy act in environments side by side, one decision at a time.
final class OffPolicyCollector {
  private let environments: LocalVectorEnvironment
  private let environmentName: String
  private let chunks: [ActionChunks?]
  private let actionSteps: Int
  private let rewardFactor: Float
  /// Restarts that were told.
  private var toldRestarts = 0

  /// - Parameters:
  ///   - environment: made `count` times.
  ///   - count: `B`
  ///   - seed: decides starts.
  ///   - chunkGamma: discounts the rewards within a chunk.
  ///   - rewardFactor: multiplies rewards.
  /// - Throws: what making an environment throws.
  init(
    _ environment: PolicyEnvironment, count: Int, seed: UInt64, chunkGamma: Float,
    rewardFactor: Float
  ) throws {
    environments = try environment.makeVector(count: count, seed: seed, chunkGamma: chunkGamma)
    chunks = environments.environments.map { $0.layer(ActionChunks.self) }
    environmentName = environment.configuration.environment.name
    actionSteps = environment.configuration.actionSteps
    self.rewardFactor = rewardFactor
  }

  /// Abandons all episodes.
  ///
  /// - Throws: what the environments throw.
  func startNextEpisodes() throws { try environments.startNextEpisodes() }

  /// A decision in every environment, as the replay buffer keeps it, and the episodes that ended; counts
  /// seconds of the policy as `sample`, of the environments as `simulate`.
  ///
  /// - Throws: what environments throw.
  func step(
    _ metrics: inout Metrics, _ decide: (Observations) -> OffPolicyDecision
  ) throws -> (step: ReplayStep, episodes: [EpisodeStatistics]) {
    let observations = environments.observations
    let decision = metrics.measure("sample") { decide(observations) }
    try metrics.measure("simulate") {
      try environments.step(decision.chunks.slice(0..<actionSteps, along: 1))
    }
    let outcomes = Array(environments.outcomes)
    let reached = environments.finalObservations(of: Array(0..<environments.count))
    let step = ReplayStep(
      observations: observations.state.elements, actions: decision.stored.elements,
      rewards: outcomes.map { $0.reward * rewardFactor },
      stepCounts: chunks.map { $0?.executedSteps ?? actionSteps },
      isTerminated: outcomes.map(\.isTerminated), isFinished: outcomes.map(\.isFinished),
      isLost: outcomes.map(\.isLost), reached: reached.state.elements)
    return (step, environments.finishedEpisodes.map(\.statistics))
  }

  /// How often what environments live in was started anew since the last call; nil where they compute by
  /// themselves.
  func takeRestarts() -> Int? {
    defer { toldRestarts = environments.restartCount ?? 0 }
    return environments.restartCount.map { $0 - toldRestarts }
  }

  /// The environments' states and where their episodes stand.
  struct State: Codable {
    var environments: [EnvironmentState]
    /// Of what the environments compute with; nil where they are part of this program.
    var versions: [String: String]?
  }

  /// - Parameter withEpisodes: whether the next decision goes on with the running episodes.
  /// - Throws: what saving environments throws.
  func state(withEpisodes: Bool) throws -> State {
    State(
      environments: withEpisodes ? try environments.savedStates() : environments.savedPlaces(),
      versions: environments.versions.isEmpty ? nil : environments.versions)
  }

  /// Where the state is without episodes, new ones have to be started.
  ///
  /// - Throws: `EnvironmentError.stateMismatch` if it is the state of others.
  func restore(_ state: State) throws {
    if let saved = state.versions,
      let warning = RolloutCollector.versionWarning(
        environmentName, saved: saved, now: environments.versions)
    {
      EnvironmentWarnings.print(warning.printable)
    }
    try environments.restore(state.environments)
  }
}
