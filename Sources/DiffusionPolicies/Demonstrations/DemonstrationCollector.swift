import Environments
import Tensors

/// Plays episodes of a behaviour policy and keeps them as demonstrations.
public struct DemonstrationCollector: Sendable {
  private let policy: BehaviourPolicy
  private let choice: BehaviourPolicy.Choice
  private let seed: UInt64
  private let makeEnvironment: @Sendable () throws -> any Environment

  /// - Parameters:
  ///   - policy: acts.
  ///   - choice: mean actions or draws.
  ///   - seed: episode i starts from, and draws by, the i-th seed after it.
  ///   - makeEnvironment: gives an environment to each episode.
  public init(
    policy: BehaviourPolicy, choice: BehaviourPolicy.Choice, seed: UInt64,
    makeEnvironment: @escaping @Sendable () throws -> any Environment
  ) {
    self.policy = policy
    self.choice = choice
    self.seed = seed
    self.makeEnvironment = makeEnvironment
  }

  /// Plays episodes side by side; what an episode brings depends on its own seed alone.
  ///
  /// - Parameters:
  ///   - episodes: which ones, counted from the seed.
  /// - Throws: `PolicyError` if policy and environment do not fit, and what environments throw.
  public func collect(_ episodes: Range<Int>) throws -> Demonstrations {
    var parts = [Result<Demonstrations, any Error>?](repeating: nil, count: episodes.count)
    parts.withUnsafeMutableBufferPointer { parts in
      WorkerPool.shared.forEach(episodes.count) { index in
        parts[index] = Result { try play(episodes.lowerBound + index) }
      }
    }
    let demonstrations = try parts.compactMap { try $0?.get() }
    return demonstrations.dropFirst().reduce(into: demonstrations[0]) { $0.append($1) }
  }

  private func play(_ episode: Int) throws -> Demonstrations {
    let environment = try makeEnvironment()
    let episodeSeed = seed &+ UInt64(episode)
    let act = try policy.player(in: environment, choice: choice, seed: episodeSeed)
    var result = Demonstrations(
      stateSize: environment.observationSpace.count, actionSize: environment.actionSpace.count)
    try environment.playEpisode(
      from: .seed(episodeSeed),
      policy: { observation, step in
        let action = act(observation, step)
        result.states += observation
        result.actions += action
        return action
      },
      visit: { _, outcome in
        guard let outcome else { return }
        result.rewards.append(outcome.reward)
        result.terminals.append(outcome.isTerminated)
      })
    result.lengths = [result.rewards.count]
    return result
  }
}
