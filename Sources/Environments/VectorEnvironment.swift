import Media
import Tensors

/// Several environments of one kind, stepped side by side.
///
/// An environment whose episode ends starts its next one within the same step. Episode `e` of
/// environment `i` starts from a seed made of (seed, i, e), so a trajectory depends on that and on
/// its actions alone, not on what the others do.
///
/// After a call that throws, the results of the last step have no meaning: the vector has to be
/// restored or made again.
public protocol VectorEnvironment: AnyObject {
  /// The number of environments, `B`.
  var count: Int { get }
  /// The state that one environment shows: `[Do]`, or `[To, Do]` with a history.
  var observationSpace: BoxSpace { get }
  /// The cameras of one environment.
  var cameras: [Camera] { get }
  /// What one environment takes.
  var actionSpace: BoxSpace { get }

  /// What the next actions are chosen from, `B` rows, of new episodes where old ones ended; copied.
  var observations: Observations { get }
  /// What the last actions led to in some environments, a row each: an episode's final observation
  /// where it ended; copied.
  func finalObservations(of environments: [Int]) -> Observations
  /// The outcome of the last step in each environment, `[B]`.
  var outcomes: UnsafeBufferPointer<StepOutcome> { get }
  /// The episodes that ended in the last step, by environment, without those that were lost.
  var finishedEpisodes: [FinishedEpisode] { get }
  /// How often what environments live in was started anew after it had died; nil where they compute
  /// by themselves.
  var restartCount: Int? { get }
  /// Versions of what the environments compute with, by name.
  var versions: [String: String] { get }

  /// Abandons all episodes and starts the next ones, from other starts.
  ///
  /// - Throws: what an environment's `reset` throws.
  func startNextEpisodes() throws

  /// Applies one action, or one chunk of them, in each environment: `[B, Da]`.
  ///
  /// - Throws: what an environment's `step` or `reset` throws, of the first one that fails.
  func step(_ actions: UnsafeBufferPointer<Float>) throws

  /// The state of each environment and its place in its seeds, `[B]`: those of several vectors make
  /// one list, of which another vector takes its part.
  ///
  /// - Throws: what an environment's `save` throws.
  func savedStates() throws -> [EnvironmentState]

  /// The place of each environment in its seeds, `[B]`: enough where new episodes are started before
  /// the next step, whatever environments can save.
  func savedPlaces() -> [EnvironmentState]

  /// Takes back saved states; the results of the step before them are not part of them. Where they
  /// are of places only, `startNextEpisodes` has to follow.
  ///
  /// - Throws: `EnvironmentError.stateMismatch` if they are those of other environments, of another
  ///   number of them or of another seed. The vector then has to be restored again.
  func restore(_ states: [EnvironmentState]) throws
}

/// An episode that ended in a vector of environments.
public struct FinishedEpisode: Equatable, Sendable {
  /// Which environment played it.
  public var environment: Int
  /// How many episodes that environment had finished before.
  public var episode: Int
  /// What it came to.
  public var statistics: EpisodeStatistics

  /// An episode of an environment.
  public init(environment: Int, episode: Int, statistics: EpisodeStatistics) {
    self.environment = environment
    self.episode = episode
    self.statistics = statistics
  }
}

extension VectorEnvironment {
  /// Most environments compute by themselves.
  public var restartCount: Int? { nil }
  /// Most environments are part of this program.
  public var versions: [String: String] { [:] }

  /// Applies actions of shape `[B, Da]` or `[B, Ta, Da]`.
  ///
  /// - Throws: what `step(_:)` of a buffer throws.
  public func step(_ actions: Tensor) throws {
    precondition(
      actions.shape == [count] + actionSpace.shape,
      "\(count) environments take actions of shape \([count] + actionSpace.shape), not "
        + "\(actions.shape)")
    try actions.withUnsafeElements { try step($0) }
  }
}

/// Environments that this process steps, by the worker pool or where they have lanes by a thread for
/// each; results do not depend on the number of workers.
public final class LocalVectorEnvironment: VectorEnvironment {
  /// The number of environments, `B`.
  public let count: Int
  /// What one environment shows.
  public let observationSpace: BoxSpace
  /// The cameras of one environment.
  public let cameras: [Camera]
  /// What one environment takes.
  public let actionSpace: BoxSpace
  /// The seed of all episodes.
  public let seed: UInt64

  /// The environments, for questions that a vector of them does not answer; do not step them.
  public let environments: [any Environment]

  /// The outcome of the last step in each environment, `[B]`.
  public var outcomes: UnsafeBufferPointer<StepOutcome> { UnsafeBufferPointer(stepOutcomes) }
  /// How often lanes of environments were started anew; nil where there are none.
  public var restartCount: Int? { lanes.restartCount }
  /// Versions of what the environments compute with, by name.
  public var versions: [String: String] { environments[0].versions }
  /// The episodes that ended in the last step, by environment, without those that were lost.
  public private(set) var finishedEpisodes: [FinishedEpisode] = []

  private let firstNumber: Int
  private let lanes: EnvironmentLanes
  private let recorders: [EpisodeRecorder]
  /// What the next actions are chosen from.
  private let observed: Rows
  /// What the last actions led to.
  private let reached: Rows
  private let stepOutcomes: UnsafeMutableBufferPointer<StepOutcome>
  private let lastStatistics: UnsafeMutableBufferPointer<EpisodeStatistics>
  private let episodes: UnsafeMutableBufferPointer<Int>

  /// Makes `count` environments and starts their first episodes.
  ///
  /// An environment that lacks `FiniteGuard` or `EpisodeRecorder` is wrapped in it.
  ///
  /// - Parameters:
  ///   - count: `B`
  ///   - seed: of all episodes.
  ///   - firstNumber: the number of the first environment, where others have those before it.
  ///   - make: makes one.
  /// - Throws: what `make` and an environment's `reset` throw.
  public convenience init(
    count: Int, seed: UInt64, firstNumber: Int = 0, make: () throws -> any Environment
  ) throws {
    try self.init(try (0..<count).map { _ in try make() }, seed: seed, firstNumber: firstNumber)
  }

  /// Takes environments of one kind and starts their first episodes.
  ///
  /// An environment that lacks `FiniteGuard` or `EpisodeRecorder` is wrapped in it.
  ///
  /// - Parameters:
  ///   - tasks: `B` of them.
  ///   - seed: of all episodes.
  ///   - firstNumber: the number of the first environment, where others have those before it.
  /// - Throws: what an environment's `reset` throws.
  public init(_ tasks: [any Environment], seed: UInt64, firstNumber: Int = 0) throws {
    precondition(!tasks.isEmpty, "a vector needs at least one environment, not \(tasks.count)")
    var environments: [any Environment] = []
    var recorders: [EpisodeRecorder] = []
    for var environment in tasks {
      if environment.layer(FiniteGuard.self) == nil { environment = FiniteGuard(environment) }
      if let recorder = environment.layer(EpisodeRecorder.self) {
        recorders.append(recorder)
      } else {
        let recorder = EpisodeRecorder(environment)
        recorders.append(recorder)
        environment = recorder
      }
      environments.append(environment)
    }
    count = environments.count
    self.seed = seed
    self.firstNumber = firstNumber
    self.environments = environments
    lanes = EnvironmentLanes(environments)
    self.recorders = recorders
    observationSpace = environments[0].observationSpace
    actionSpace = environments[0].actionSpace
    cameras = environments[0].cameras
    for environment in environments {
      precondition(
        environment.observationSpace == observationSpace && environment.actionSpace == actionSpace
          && environment.cameras == cameras,
        "the environments of a vector must share their spaces: \(environment.name) does not")
    }
    observed = Rows(count: count, size: observationSpace.count)
    reached = Rows(count: count, size: observationSpace.count)
    stepOutcomes = .allocate(capacity: count)
    lastStatistics = .allocate(capacity: count)
    episodes = .allocate(capacity: count)
    stepOutcomes.initialize(repeating: StepOutcome(reward: 0))
    lastStatistics.initialize(repeating: EpisodeStatistics())
    episodes.initialize(repeating: 0)
    try startEpisodes()
  }

  deinit {
    stepOutcomes.deallocate()
    lastStatistics.deallocate()
    episodes.deallocate()
  }

  /// Abandons all episodes and starts the next ones, from other starts.
  public func startNextEpisodes() throws {
    for index in 0..<count { episodes[index] += 1 }
    try startEpisodes()
  }

  /// Applies one action, or one chunk of them, in each environment: `[B, Da]`.
  public func step(_ actions: UnsafeBufferPointer<Float>) throws {
    let size = actionSpace.count
    precondition(
      actions.count == count * size,
      "\(count) environments take actions of shape \([count] + actionSpace.shape), not "
        + "\(actions.count) elements")
    try lanes.forEach { index in
      let environment = environments[index]
      let action = UnsafeBufferPointer(rebasing: actions[index * size..<(index + 1) * size])
      let outcome = try environment.step(action)
      stepOutcomes[index] = outcome
      try reached.observe(environment, index)
      if outcome.isFinished {
        lastStatistics[index] = recorders[index].statistics
        episodes[index] += 1
        try environment.reset(seed: episodeSeed(index))
        try observed.observe(environment, index)
      } else {
        observed.copy(index, from: reached)
      }
    }
    finishedEpisodes.removeAll(keepingCapacity: true)
    for index in 0..<count where stepOutcomes[index].isFinished && !stepOutcomes[index].isLost {
      finishedEpisodes.append(
        FinishedEpisode(
          environment: firstNumber + index, episode: episodes[index] - 1,
          statistics: lastStatistics[index]))
    }
  }

  /// The state of each environment and its place in its seeds.
  public func savedStates() throws -> [EnvironmentState] {
    try environments.indices.map { index in
      var state = savedPlace(of: index, tag: Self.stateTag)
      try environments[index].save(to: &state)
      return state
    }
  }

  /// The place of each environment in its seeds.
  public func savedPlaces() -> [EnvironmentState] {
    environments.indices.map { savedPlace(of: $0, tag: Self.placeTag) }
  }

  private static let stateTag = "an environment of a vector"
  private static let placeTag = "a place in a vector"

  private func savedPlace(of index: Int, tag: String) -> EnvironmentState {
    var state = EnvironmentState()
    state.appendTag(tag)
    state.append(seed)
    state.append(firstNumber + index)
    state.append(episodes[index])
    return state
  }

  /// Takes back saved states; the results of the step before them are not part of them. Where they
  /// are of places only, `startNextEpisodes` has to follow.
  ///
  /// - Throws: `EnvironmentError.stateMismatch` if they are those of other environments, of another
  ///   number of them or of another seed. The vector then has to be restored again.
  public func restore(_ states: [EnvironmentState]) throws {
    if states.count == 1, try restoreAll(states[0]) { return }
    guard states.count == count else { throw mismatch }
    for (index, state) in states.enumerated() {
      var reader = EnvironmentState.Reader(state)
      let hasEpisode = try reader.readTag(oneOf: [Self.stateTag, Self.placeTag]) == 0
      guard try reader.readWord() == seed, try reader.readInteger() == firstNumber + index
      else { throw mismatch }
      try restore(index, from: &reader, hasEpisode: hasEpisode)
      try reader.finish()
    }
    forgetStep()
  }

  /// Takes back what earlier versions saved, one state of the whole vector; false if it is of today's
  /// kind.
  private func restoreAll(_ state: EnvironmentState) throws -> Bool {
    var reader = EnvironmentState.Reader(state)
    let tags = ["vector", "places in a vector", Self.stateTag, Self.placeTag]
    let tag = try reader.readTag(oneOf: tags)
    guard tag < 2 else { return false }
    guard try reader.readInteger() == count, try reader.readWord() == seed else { throw mismatch }
    for index in environments.indices {
      try restore(index, from: &reader, hasEpisode: tag == 0)
    }
    try reader.finish()
    forgetStep()
    return true
  }

  private var mismatch: EnvironmentError {
    .stateMismatch(layer: "a vector of \(count) with seed \(seed)")
  }

  private func restore(
    _ index: Int, from reader: inout EnvironmentState.Reader, hasEpisode: Bool
  ) throws {
    episodes[index] = try reader.readInteger()
    guard hasEpisode else { return }
    try environments[index].restore(from: &reader)
    try observed.observe(environments[index], index)
    reached.copy(index, from: observed)
  }

  private func forgetStep() {
    stepOutcomes.update(repeating: StepOutcome(reward: 0))
    finishedEpisodes.removeAll()
  }

  private func startEpisodes() throws {
    try lanes.forEach { index in
      try environments[index].reset(seed: episodeSeed(index))
      try observed.observe(environments[index], index)
      reached.copy(index, from: observed)
    }
    forgetStep()
  }

  private func episodeSeed(_ index: Int) -> UInt64 {
    var stream = RandomStream(seed: seed, purpose: "episodes", index: firstNumber + index)
      .split(episodes[index])
    return stream.next()
  }

  /// What the next actions are chosen from, copied.
  public var observations: Observations { observations(of: Array(0..<count), in: observed) }

  /// What the last actions led to in some environments, copied.
  public func finalObservations(of environments: [Int]) -> Observations {
    observations(of: environments, in: reached)
  }

  private func observations(of environments: [Int], in rows: Rows) -> Observations {
    let stepCount = observationSpace.shape.count > 1 ? observationSpace.shape[0] : 1
    let state = Tensor(
      shape: [environments.count, stepCount, observationSpace.count / stepCount]
    ) { elements in
      let size = observationSpace.count
      for (row, index) in environments.enumerated() {
        _ = UnsafeMutableBufferPointer(rebasing: elements[row * size..<(row + 1) * size])
          .update(fromContentsOf: rows[index])
      }
    }
    let images = cameras.enumerated().map { place, camera in
      (
        camera.name,
        CameraImages(
          camera, stepCount: stepCount, frames: environments.flatMap { rows.images[$0][place] })
      )
    }
    return Observations(state, images: Dictionary(uniqueKeysWithValues: images))
  }

  /// An observation of each environment, in memory that is written at every step.
  ///
  /// Unchecked sendable: in a step each row is written by one worker.
  private final class Rows: @unchecked Sendable {
    private let size: Int
    private let states: UnsafeMutableBufferPointer<Float>
    /// By environment and camera.
    let images: UnsafeMutableBufferPointer<[[Image]]>

    init(count: Int, size: Int) {
      self.size = size
      states = .allocate(capacity: count * size)
      states.initialize(repeating: 0)
      images = .allocate(capacity: count)
      images.initialize(repeating: [])
    }

    deinit {
      states.deallocate()
      images.deinitialize()
      images.deallocate()
    }

    /// The state of an environment.
    subscript(index: Int) -> UnsafeMutableBufferPointer<Float> {
      UnsafeMutableBufferPointer(rebasing: states[index * size..<(index + 1) * size])
    }

    /// Takes an environment's current observation.
    func observe(_ environment: any Environment, _ index: Int) throws {
      environment.observe(into: self[index])
      if !environment.cameras.isEmpty { images[index] = try environment.observeImages() }
    }

    /// Takes an environment's observation from elsewhere.
    func copy(_ index: Int, from other: Rows) {
      _ = self[index].update(fromContentsOf: other[index])
      images[index] = other.images[index]
    }
  }
}

#if THREAD_SANITIZER
  import Tensors

  /// In place of `Synchronization.Mutex`, which the thread sanitizer does not see.
  typealias Mutex = SanitizedMutex
#endif
