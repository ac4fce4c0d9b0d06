import Environments
import Tensors

/// Plays a policy on fixed seeds.
///
/// Episode i starts from, and draws its noise by, seed and i alone: not the number of episodes
/// played side by side, nor that of workers.
public struct PolicyEvaluation: Sendable {
  /// The environment with what the policy needs around it.
  public let environment: PolicyEnvironment
  /// Decides starts and noise.
  public let seed: UInt64
  private let sideBySide: Int

  /// - Parameters:
  ///   - environment: where to play.
  ///   - seed: decides starts and noise.
  ///   - sideBySide: episodes in one batch.
  public init(_ environment: PolicyEnvironment, seed: UInt64, sideBySide: Int = 50) {
    precondition(sideBySide > 0, "\(sideBySide) episodes side by side")
    self.environment = environment
    self.seed = seed
    self.sideBySide = sideBySide
  }

  /// The seed that an episode's environment starts from.
  public func startSeed(ofEpisode episode: Int) -> UInt64 {
    Self.startSeed(ofEpisode: episode, seed: seed)
  }

  static func startSeed(ofEpisode episode: Int, seed: UInt64) -> UInt64 {
    var stream = RandomStream(seed: seed, purpose: "evaluation starts", index: episode)
    return stream.next()
  }

  /// The noise of a decision: of the seed, the episode and the decision's number in it alone.
  package static func noise(ofDecision decision: Int, episode: Int, seed: UInt64) -> RandomStream {
    RandomStream(seed: seed, purpose: "evaluation actions", index: episode).split(decision)
  }

  /// Plays episodes and keeps what each came to, in order.
  ///
  /// - Parameters:
  ///   - policy: acts.
  ///   - episodeCount: episodes 0 ..< that.
  ///   - mode: as it is evaluated, unless its exploration is what is to be evaluated.
  ///   - didFinish: told the number of episodes done; what it throws ends the play.
  /// - Throws: what environments and `didFinish` throw.
  public func play(
    _ policy: any ActingPolicy, episodeCount: Int, mode: ActionMode = .evaluating,
    didFinish: (Int) throws -> Void = { _ in }
  ) throws -> [EpisodeStatistics] {
    var results = [EpisodeStatistics](repeating: EpisodeStatistics(), count: episodeCount)
    var slots = try (0..<min(sideBySide, episodeCount)).map { episode in
      try EnvironmentWorker(try environment.make(), episode: episode, seed: seed)
    }
    var (next, done) = (slots.count, 0)
    while !slots.isEmpty {
      try step(slots, policy, mode)
      var running: [EnvironmentWorker] = []
      for slot in slots {
        if slot.isFinished {
          results[slot.episode] = slot.statistics
          done += 1
          try didFinish(done)
          guard next < episodeCount else { continue }
          try slot.start(episode: next)
          next += 1
        }
        running.append(slot)
      }
      slots = running
    }
    return results
  }

  /// Plays one episode as `play` does and shows the environment at its start and after every step.
  ///
  /// - Throws: what the environment and `visit` throw.
  public func show(
    _ policy: any ActingPolicy, episode: Int,
    visit: @escaping (any Environment, StepOutcome?) throws -> Void
  ) throws {
    let slot = try EnvironmentWorker(
      try environment.make(visit: visit), episode: episode, seed: seed)
    while !slot.isFinished {
      try step([slot], policy, .evaluating)
      // What was shown of it cannot be taken back.
      if let step = slot.lostStep {
        throw EnvironmentError.lost(environment.configuration.environment.name, step: step)
      }
    }
  }

  private func step(
    _ slots: [EnvironmentWorker], _ policy: any ActingPolicy, _ mode: ActionMode
  ) throws {
    let observations = Observations.concatenated(try slots.map { try $0.observations })
    let decisions = policy.decideInParallel(
      on: observations, mode: mode, streams: slots.map(\.stream))
    let executed = decisions.chunks.slice(
      0..<environment.configuration.actionSteps, along: 1)
    // A single one stays on this thread, where it may be drawing.
    if slots.count == 1 { return try slots[0].step(executed[0]) }
    try WorkerPool.shared.tryForEach(slots.count) { try slots[$0].step(executed[$0]) }
  }
}

/// A place where one episode of an evaluation is played after the other.
///
/// Unchecked sendable: in a step each slot is touched by one worker.
final class EnvironmentWorker: @unchecked Sendable {
  /// The number of the episode being played.
  private(set) var episode: Int
  /// Whether it has ended.
  private(set) var isFinished = false
  private let environment: any Environment
  private let recorder: EpisodeRecorder?
  private let seed: UInt64
  private var decision = 0
  /// The decision in which the episode was lost, and began again; nil if it never was.
  private(set) var lostStep: Int?

  init(_ environment: any Environment, episode: Int, seed: UInt64) throws {
    self.environment = environment
    recorder = environment.layer(EpisodeRecorder.self)
    self.seed = seed
    self.episode = episode
    try start(episode: episode)
  }

  func start(episode: Int) throws {
    self.episode = episode
    isFinished = false
    decision = 0
    try environment.reset(seed: PolicyEvaluation.startSeed(ofEpisode: episode, seed: seed))
  }

  /// The noise of the next decision.
  var stream: RandomStream {
    PolicyEvaluation.noise(ofDecision: decision, episode: episode, seed: seed)
  }

  /// One row.
  var observations: Observations {
    get throws { try environment.observations(ofSteps: environment.observationSpace.shape[0]) }
  }

  /// In single steps and rewards of the inner environment.
  var statistics: EpisodeStatistics { recorder?.statistics ?? EpisodeStatistics() }

  /// Executes a chunk `[Ta, Da]`. An episode that is lost begins again: its seed decides it, so that
  /// it comes to the same.
  func step(_ chunk: Tensor) throws {
    let outcome = try chunk.withUnsafeElements { try environment.step($0) }
    if outcome.isLost {
      lostStep = decision
      return try start(episode: episode)
    }
    isFinished = outcome.isFinished
    decision += 1
  }
}
