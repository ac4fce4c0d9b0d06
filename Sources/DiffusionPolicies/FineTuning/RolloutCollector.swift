import Environments
import Tensors

/// Lets a policy act in environments side by side and keeps what an update needs.
final class RolloutCollector {
  private let environments: VectorEnvironment
  private let executedCount: Int
  private let seed: UInt64
  /// Whether the next decision of each environment is its episode's first.
  private var isFirst: [Bool]

  /// - Parameters:
  ///   - environment: made `count` times.
  ///   - count: `B`
  ///   - seed: decides starts and noise.
  init(_ environment: PolicyEnvironment, count: Int, seed: UInt64) throws {
    environments = try VectorEnvironment(count: count, seed: seed) { try environment.make() }
    executedCount = environment.configuration.executedCount
    self.seed = seed
    isFirst = Array(repeating: true, count: count)
  }

  /// What a rollout brings besides its data.
  struct Summary {
    /// The episodes that ended in it.
    var episodes: [EpisodeStatistics] = []
    /// Seconds in the policy.
    var samplingTime = 0.0
    /// Seconds in the environments.
    var simulationTime = 0.0
  }

  /// Abandons all episodes: the next decision of each environment is the first of another one.
  func startNextEpisodes() {
    environments.startNextEpisodes()
    isFirst = Array(repeating: true, count: environments.count)
  }

  /// Makes `decisionCount` decisions in every environment.
  ///
  /// The noise of environment b at decision t depends on the seed, the iteration, b and t alone.
  func collect(
    _ policy: any ChunkPolicy, decisionCount: Int, iteration: Int
  ) -> (buffer: RolloutBuffer, summary: Summary) {
    let count = environments.count
    let noise = (0..<count).map {
      RandomStream(seed: seed, purpose: "actions", index: $0).split(iteration)
    }
    var summary = Summary()
    var observations: [Tensor] = []
    var states: [Tensor] = []
    var finalObservations: [Tensor] = []
    var buffer = RolloutBuffer(
      observations: Tensor(0), states: Tensor(0), logProbabilities: [], rewards: [],
      finalObservations: Tensor(0), finalRows: [], isTerminated: [], isFinished: [], isFirst: [],
      environmentCount: count)
    for decision in 0..<decisionCount {
      let observed = environments.observationTensor  // [B, To, Do]
      let start = ContinuousClock.now
      let decisions = policy.decideInParallel(
        on: observed, mode: .exploring, streams: noise.map { $0.split(decision) })
      let acted = ContinuousClock.now
      environments.step(decisions.chunks.slice(0..<executedCount, along: 1))
      summary.samplingTime += (acted - start) / .seconds(1)
      summary.simulationTime += (ContinuousClock.now - acted) / .seconds(1)

      observations.append(observed)
      states.append(decisions.states)
      buffer.logProbabilities += decisions.logProbabilities.elements
      buffer.isFirst += isFirst
      let isLast = decision == decisionCount - 1
      for (index, outcome) in environments.outcomes.enumerated() {
        buffer.rewards.append(outcome.reward)
        buffer.isTerminated.append(outcome.isTerminated)
        buffer.isFinished.append(outcome.isFinished)
        isFirst[index] = outcome.isFinished
        if outcome.isFinished || isLast {
          buffer.finalRows.append(finalObservations.count)
          finalObservations.append(reachedObservation(index))
        } else {
          buffer.finalRows.append(nil)
        }
      }
      summary.episodes += environments.finishedEpisodes.map(\.statistics)
    }
    buffer.observations = .concatenated(observations, along: 0)
    buffer.states = .concatenated(states, along: 0)
    buffer.finalObservations = .stacked(finalObservations)
    return (buffer, summary)
  }

  /// What the last decision of an environment led to, before any new episode, `[To, Do]`.
  private func reachedObservation(_ index: Int) -> Tensor {
    let space = environments.observationSpace
    let range = index * space.count..<(index + 1) * space.count
    return Tensor(shape: space.shape, elements: environments.finalObservations[range])
  }

  /// The environments' states and where their episodes stand.
  struct State: Codable {
    var environments: EnvironmentState
    var isFirst: [Bool]
  }

  /// What the next rollout depends on, besides the policy.
  var state: State {
    State(environments: environments.savedState(), isFirst: isFirst)
  }

  /// - Throws: `EnvironmentError.stateMismatch` if they are the states of others.
  func restore(_ state: State) throws {
    try environments.restore(state.environments)
    isFirst = state.isFirst
  }
}
