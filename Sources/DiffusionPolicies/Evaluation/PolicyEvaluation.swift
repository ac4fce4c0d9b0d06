import Environments
import Tensors

/// Plays a policy on fixed seeds.
///
/// Episode i starts from, and draws its noise by, seed and i alone: not the number of episodes
/// played side by side, nor that of workers or processes.
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
  ///   - communicator: divides episodes among processes, each of which gets all results.
  ///   - mode: as it is evaluated, unless its exploration is what is to be evaluated.
  ///   - didFinish: told the number of episodes done; what it throws ends the play.
  /// - Throws: what environments and `didFinish` throw.
  public func play(
    _ policy: any ActingPolicy, episodeCount: Int, mode: ActionMode = .evaluating,
    over communicator: any Communicator = SingleProcess(),
    didFinish: (Int) throws -> Void = { _ in }
  ) throws -> [EpisodeStatistics] {
    let own = communicator.fraction(of: episodeCount)
    return try communicator.gatherValues(
      try play(policy, episodes: own, mode, didFinish: didFinish)
    ).flatMap { $0 }
  }

  private func play(
    _ policy: any ActingPolicy, episodes: Range<Int>, _ mode: ActionMode,
    didFinish: (Int) throws -> Void
  ) throws -> [EpisodeStatistics] {
    var results = [EpisodeStatistics](repeating: EpisodeStatistics(), count: episodes.count)
    guard !episodes.isEmpty else { return results }
    let environments = try environment.make(count: min(sideBySide, episodes.count))
    // Each is started and stepped where it lives: those of different processes side by side.
    let lanes = EnvironmentLanes(environments)
    let slots = try environments.enumerated().map { place, environment in
      try EnvironmentWorker(
        environment, episode: episodes.lowerBound + place, seed: seed, starts: false)
    }
    try lanes.forEach { try slots[$0].start() }
    var (next, done) = (episodes.lowerBound + slots.count, 0)
    var running = Array(slots.indices)
    while !running.isEmpty {
      let chunks = try chunks(for: running.map { slots[$0] }, policy, mode)
      let rows = Dictionary(uniqueKeysWithValues: zip(running, 0...))
      try lanes.forEach { index in
        if let row = rows[index] { try slots[index].step(chunks[row]) }
      }
      var starting: Set<Int> = []
      for index in running where slots[index].isFinished {
        results[slots[index].episode - episodes.lowerBound] = slots[index].statistics
        done += 1
        try didFinish(done)
        guard next < episodes.upperBound else { continue }
        slots[index].episode = next
        starting.insert(index)
        next += 1
      }
      if !starting.isEmpty {
        try lanes.forEach { if starting.contains($0) { try slots[$0].start() } }
      }
      running.removeAll { slots[$0].isFinished }
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
      // On this thread, where it may be drawing.
      try slot.step(try chunks(for: [slot], policy, .evaluating)[0])
      // What was shown of it cannot be taken back.
      if let step = slot.lostStep {
        throw EnvironmentError.lost(environment.configuration.environment.name, step: step)
      }
    }
  }

  /// The actions that are executed next, `[B, Ta, Da]`.
  private func chunks(
    for slots: [EnvironmentWorker], _ policy: any ActingPolicy, _ mode: ActionMode
  ) throws -> Tensor {
    let observations = Observations.concatenated(try slots.map { try $0.observations })
    let decisions = policy.decideInParallel(
      on: observations, mode: mode, streams: slots.map(\.stream))
    return decisions.chunks.slice(0..<environment.configuration.actionSteps, along: 1)
  }
}

/// A place where one episode of an evaluation is played after the other.
///
/// Unchecked sendable: in a step each slot is touched by one worker.
final class EnvironmentWorker: @unchecked Sendable {
  /// The number of the episode that is played, or started next.
  var episode: Int
  /// Whether it has ended.
  private(set) var isFinished = false
  private let environment: any Environment
  private let recorder: EpisodeRecorder?
  private let seed: UInt64
  private var decision = 0
  /// The decision in which the episode was lost, and began again; nil if it never was.
  private(set) var lostStep: Int?

  init(
    _ environment: any Environment, episode: Int, seed: UInt64, starts: Bool = true
  ) throws {
    self.environment = environment
    recorder = environment.layer(EpisodeRecorder.self)
    self.seed = seed
    self.episode = episode
    if starts { try start() }
  }

  /// Starts the episode.
  func start() throws {
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
      return try start()
    }
    isFinished = outcome.isFinished
    decision += 1
  }
}
