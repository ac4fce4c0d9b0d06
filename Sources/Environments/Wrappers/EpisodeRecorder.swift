/// What an episode came to.
public struct EpisodeStatistics: Codable, Equatable, Sendable {
  /// The sum of rewards, undiscounted.
  public var totalReward = 0.0
  /// The number of steps.
  public var stepCount = 0
  /// The maximum reward of a step: the score of tasks such as Push-T, whose own reward it is then
  /// (`bestTaskReward`), whatever an agent is paid.
  public var bestReward = -Double.infinity
  /// Whether the task was done, for tasks that report `isSuccess`.
  public var isSuccess: Bool?
  /// Whether a number that is none ended the episode.
  public var isBroken = false

  /// An episode without steps.
  public init() {}
}

/// Keeps the statistics of the running episode.
public final class EpisodeRecorder: EnvironmentWrapper {
  /// The environment inside.
  public let base: any Environment
  /// The episode since the last reset.
  public private(set) var statistics = EpisodeStatistics()

  /// Records an environment's episodes.
  public init(_ base: any Environment) { self.base = base }

  /// Passes the actions on.
  public func prepare(_ actions: UnsafeBufferPointer<Float>) { base.prepare(actions) }

  /// Starts an episode and its statistics.
  public func reset(_ start: EpisodeStart) throws {
    statistics = EpisodeStatistics()
    try base.reset(start)
  }

  /// Steps the base and counts what it brings.
  public func step(_ action: UnsafeBufferPointer<Float>) throws -> StepOutcome {
    let outcome = try base.step(action)
    statistics.totalReward += Double(outcome.reward)
    statistics.stepCount += 1
    statistics.bestReward = max(statistics.bestReward, Double(outcome.reward))
    // Looked up at the end only: the measurements are a dictionary.
    if outcome.isFinished { finish(base.info) }
    return outcome
  }

  private func finish(_ info: [String: Double]) {
    statistics.isSuccess = info["isSuccess"].map { $0 != 0 }
    statistics.isBroken = info["isBroken"] == 1
    if let best = info["bestTaskReward"] { statistics.bestReward = best }
  }

  /// Appends this layer's part, then the base's.
  public func save(to state: inout EnvironmentState) throws {
    state.appendTag("episode recorder")
    state.append(statistics.totalReward)
    state.append(statistics.stepCount)
    state.append(statistics.bestReward)
    state.append(statistics.isSuccess.map { $0 ? 1 : 0 } ?? -1)
    try base.save(to: &state)
  }

  /// Takes back this layer's part, then the base's.
  public func restore(from reader: inout EnvironmentState.Reader) throws {
    try reader.readTag("episode recorder")
    var statistics = EpisodeStatistics()
    statistics.totalReward = try reader.readDouble()
    statistics.stepCount = try reader.readInteger()
    statistics.bestReward = try reader.readDouble()
    let success = try reader.readInteger()
    statistics.isSuccess = success < 0 ? nil : success == 1
    try base.restore(from: &reader)
    self.statistics = statistics
  }
}
