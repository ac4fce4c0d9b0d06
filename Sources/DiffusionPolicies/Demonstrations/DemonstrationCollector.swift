import Environments
import Media
import Tensors

/// Plays episodes of a behaviour, such as a policy's or an expert's, and keeps them as
/// demonstrations, with the images of the environment's cameras.
///
/// What an episode brings depends on its own seed alone, not on the number of environments.
public struct DemonstrationCollector {
  /// Chooses the action for an observation in a step of an episode; nil if the episode is lost with
  /// what chooses them.
  public typealias Player = (_ observation: [Float], _ step: Int) throws -> [Float]?

  /// What becomes of the actions that are chosen.
  public enum ActionUse: Equatable, Sendable {
    /// They are taken as they are.
    case asChosen
    /// Gaussian noise is added, whose standard deviation is this many times half the range of an
    /// action, and the sum is clipped to the bounds of the action space.
    case clipped(noise: Double)
  }

  private let environments: [any Environment]
  private let seed: UInt64
  private let actions: ActionUse
  private let makePlayer: (_ environment: any Environment, _ seed: UInt64) throws -> Player
  private let lanes: EnvironmentLanes

  /// - Parameters:
  ///   - environments: of one kind; in each, one episode is played after the other.
  ///   - seed: episode i starts from, and draws by, the i-th seed after it.
  ///   - actions: what becomes of actions.
  ///   - player: gives what plays an episode in one of the environments, by the episode's seed.
  public init(
    environments: [any Environment], seed: UInt64, actions: ActionUse = .asChosen,
    player: @escaping (_ environment: any Environment, _ seed: UInt64) throws -> Player
  ) {
    precondition(!environments.isEmpty, "demonstrations without an environment")
    self.environments = environments
    self.seed = seed
    self.actions = actions
    makePlayer = player
    lanes = EnvironmentLanes(environments)
  }

  /// How often an episode is played for each that is wanted until too few succeed.
  static let playsPerSuccess = 20

  /// Plays episodes side by side until there are enough.
  ///
  /// - Parameters:
  ///   - collected: takes the episodes in order, those before an error too.
  ///   - count: of the episodes that are wanted in all.
  ///   - onlySuccesses: whether those that do not succeed are dropped, and others played instead.
  ///   - didPlay: told how many there are; what it throws ends the play.
  /// - Throws: `PolicyError` if policy and environment do not fit; `DemonstrationError` if the
  ///   environment does not tell whether an episode succeeds, or if too few do; what environments,
  ///   players and `didPlay` throw.
  public func collect(
    into collected: inout CollectedDemonstrations, episodes count: Int, onlySuccesses: Bool = false,
    didPlay: (_ count: Int) throws -> Void = { _ in }
  ) throws {
    let limit = onlySuccesses ? Self.playsPerSuccess * count : count
    while collected.episodes.count < count {
      let first = collected.playedEpisodes
      guard first < limit else {
        throw DemonstrationError.tooFewSuccesses(
          found: collected.episodes.count, played: first, wanted: count)
      }
      for episode in try play(first..<min(limit, first + environments.count))
      where collected.episodes.count < count {
        try collected.take(episode, onlySuccesses: onlySuccesses)
      }
      try didPlay(collected.episodes.count)
    }
  }

  private func play(_ episodes: Range<Int>) throws -> [CollectedDemonstrations.Episode] {
    var parts = [CollectedDemonstrations.Episode?](repeating: nil, count: environments.count)
    try parts.withUnsafeMutableBufferPointer { parts in
      try lanes.forEach { index in
        guard index < episodes.count else { return }
        parts[index] = try play(episodes.lowerBound + index, in: environments[index])
      }
    }
    return parts.compactMap { $0 }
  }

  /// An episode that is lost, as with the process that it runs in, is played again: its seed decides
  /// it.
  private func play(
    _ episode: Int, in environment: any Environment
  ) throws -> CollectedDemonstrations.Episode {
    while true {
      if let played = try attempt(seed &+ UInt64(episode), in: environment) { return played }
    }
  }

  private func attempt(
    _ seed: UInt64, in environment: any Environment
  ) throws -> CollectedDemonstrations.Episode? {
    let act = try makePlayer(environment, seed)
    let recorder = EpisodeRecorder(environment)
    var use = ActionUser(actions, space: environment.actionSpace, seed: seed)
    var steps = Demonstrations(
      stateSize: environment.observationSpace.count, actionSize: environment.actionSpace.count)
    var frames = environment.cameras.map { _ in [Image]() }
    try recorder.reset(.seed(seed))
    while true {
      let observation = recorder.observation
      let seen = frames.isEmpty ? [] : try recorder.observeImages()
      guard let chosen = try act(observation, steps.rewards.count) else { return nil }
      let action = use(chosen)
      let outcome = try recorder.step(action)
      if outcome.isLost { return nil }
      for (camera, images) in seen.enumerated() { frames[camera] += images }
      steps.states += observation
      steps.actions += action
      steps.rewards.append(outcome.reward)
      steps.terminals.append(outcome.isTerminated)
      guard outcome.isFinished else { continue }
      steps.lengths = [steps.rewards.count]
      steps.images = zip(environment.cameras, frames).map {
        CameraImages($0, stepCount: 1, frames: $1)
      }
      return CollectedDemonstrations.Episode(
        environment: environment.name, steps: steps, statistics: recorder.statistics,
        clippedSteps: use.clippedSteps)
    }
  }
}

/// Makes of the actions of one episode those that are taken.
private struct ActionUser {
  private let use: DemonstrationCollector.ActionUse
  private let space: BoxSpace
  private var random: RandomStream
  /// Steps whose chosen action was outside of its bounds.
  private(set) var clippedSteps = 0

  init(_ use: DemonstrationCollector.ActionUse, space: BoxSpace, seed: UInt64) {
    (self.use, self.space) = (use, space)
    random = RandomStream(seed: seed, purpose: "noise on an expert's actions")
  }

  mutating func callAsFunction(_ chosen: [Float]) -> [Float] {
    guard case .clipped(let noise) = use else { return chosen }
    let e = noise > 0 ? random.normal([chosen.count]).elements : []
    var isClipped = false
    let action = chosen.indices.map { index in
      let (low, high) = (space.lowerBounds[index], space.upperBounds[index])
      isClipped = isClipped || !(low...high).contains(chosen[index])
      guard noise > 0 else { return min(max(chosen[index], low), high) }
      // An action without bounds has its own unit.
      let range = (high - low) / 2
      let std = Float(noise) * (range.isFinite ? range : 1)
      // Around what would have been done without noise.
      return min(max(min(max(chosen[index], low), high) + std * e[index], low), high)
    }
    if isClipped { clippedSteps += 1 }
    return action
  }
}

/// Episodes that were played to be learned from.
public struct CollectedDemonstrations: Sendable {
  /// One of them.
  struct Episode: Sendable {
    let environment: String
    let steps: Demonstrations
    let statistics: EpisodeStatistics
    let clippedSteps: Int
  }

  /// The steps of the episodes that were kept; nil as long as there are none.
  public private(set) var demonstrations: Demonstrations?
  /// What the episodes that were kept came to.
  public private(set) var episodes: [EpisodeStatistics] = []
  /// How many were played, with those that were dropped.
  public private(set) var playedEpisodes = 0
  /// Steps of the kept episodes whose chosen action was outside of its bounds, and was clipped.
  public private(set) var clippedSteps = 0

  /// No episodes yet.
  public init() {}

  /// - Throws: `DemonstrationError.successUnknown` if only successes are wanted and nobody tells them.
  mutating func take(_ episode: Episode, onlySuccesses: Bool) throws {
    playedEpisodes += 1
    if onlySuccesses {
      guard let isSuccess = episode.statistics.isSuccess else {
        throw DemonstrationError.successUnknown(environment: episode.environment)
      }
      guard isSuccess else { return }
    }
    episodes.append(episode.statistics)
    clippedSteps += episode.clippedSteps
    if demonstrations == nil {
      demonstrations = episode.steps
    } else {
      demonstrations?.append(episode.steps)
    }
  }
}
