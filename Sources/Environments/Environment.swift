import Media

/// A task that an agent acts in, one control step at a time.
///
/// An environment is stepped by one thread at a time, but not always by the same one. It must draw
/// all its randomness from the seed it is reset with, so that a seed and the actions decide a
/// trajectory to the last bit.
public protocol Environment: AnyObject {
  /// The name it is registered under, such as `hopper`.
  var name: String { get }

  /// What `observe` writes: the state, numbers that an agent sees.
  var observationSpace: BoxSpace { get }

  /// Whose images belong to an observation besides its state; none unless an environment has some.
  var cameras: [Camera] { get }

  /// What `step` reads.
  var actionSpace: BoxSpace { get }

  /// What environments share that do not compute by themselves, such as the process in which they
  /// live; nil for an environment that does.
  var lane: (any EnvironmentLane)? { get }

  /// Versions of what it computes with, by name, where another one may give other numbers: those of
  /// Python and its packages, say. None for what is part of this program.
  var versions: [String: String] { get }

  /// Control steps in a second of simulated time: the frame rate of a video in real time.
  var stepsPerSecond: Double { get }

  /// Named measurements of the last step, such as the terms of the reward; they are no observation.
  ///
  /// Two names mean something to statistics: `isSuccess` (1 or 0), for tasks that can be done, and
  /// `bestTaskReward`, the maximum reward of the episode by the task's own measure, where an agent
  /// may be paid by another.
  var info: [String: Double] { get }

  /// What a starting state given to `reset` consists of; empty if only seeds will do.
  var startingStateNames: [String] { get }

  /// Starts an episode. A seed alone decides its initial state.
  ///
  /// - Throws: `EnvironmentError.failed` if the environment cannot go on, as one whose program
  ///   died: it has to be made again.
  func reset(_ start: EpisodeStart) throws

  /// Applies one action, which has as many elements as the action space.
  ///
  /// After an episode's last step, `observe` still gives that episode's final observation.
  ///
  /// - Throws: `EnvironmentError.failed` if the environment cannot go on. What a simulation makes
  ///   of an action is no failure: numbers that are not finite end the episode (`FiniteGuard`).
  func step(_ action: UnsafeBufferPointer<Float>) throws -> StepOutcome

  /// Tells which actions the next steps will bring, `[T, Da]`, as long as the episode goes on: an
  /// environment that pays for every request may compute ahead. What they come to is still given
  /// step by step.
  func prepare(_ actions: UnsafeBufferPointer<Float>)

  /// Writes the observation that the last reset or step brought, which has as many elements as the
  /// observation space.
  func observe(into observation: UnsafeMutableBufferPointer<Float>)

  /// The images that belong to the current observation, by camera; oldest first where there is a
  /// history, otherwise one of each.
  ///
  /// - Throws: what drawing them throws.
  func observeImages() throws -> [[Image]]

  /// Appends everything that the future of the episode depends on.
  ///
  /// Saving changes nothing: an episode goes on as if it had not been saved. An environment that
  /// cannot read its state, but that its seed and its actions decide, is a `ReplayedEnvironment`.
  ///
  /// - Throws: `EnvironmentError.failed` if the state cannot be had.
  func save(to state: inout EnvironmentState) throws

  /// Takes back what `save` wrote, so that the same actions give the same bits again.
  ///
  /// - Throws: `EnvironmentError` if the state was saved by another kind of environment.
  func restore(from reader: inout EnvironmentState.Reader) throws

  /// Draws the current state as an RGB image.
  ///
  /// - Throws: `EnvironmentError.renderingUnavailable` if this environment has no image.
  func render(width: Int, height: Int) throws -> Image
}

/// Where an episode starts.
public enum EpisodeStart: Equatable, Sendable {
  /// From a random state that the seed decides.
  case seed(UInt64)
  /// From a given state, such as a demonstration's first, named by `startingStateNames`.
  case state([Double])
}

/// What a step brings besides the observation.
public struct StepOutcome: Equatable, Sendable {
  /// What the step earned.
  public var reward: Float
  /// The task itself ended here: no future reward follows this state.
  public var isTerminated: Bool
  /// The episode was cut short by a limit: the state's value does not end here.
  public var isTruncated: Bool
  /// The episode was lost, as with a process that died: nobody knows what the action would have led
  /// to. The reward and the observation after it mean nothing, and nobody may learn from them.
  public var isLost = false

  /// Whether the environment has to be reset before the next step.
  public var isFinished: Bool { isTerminated || isTruncated || isLost }

  /// The outcome of a step.
  public init(reward: Float, isTerminated: Bool = false, isTruncated: Bool = false) {
    self.reward = reward
    self.isTerminated = isTerminated
    self.isTruncated = isTruncated
  }

  /// That of a step in which the episode was lost.
  public static var lost: StepOutcome {
    var outcome = StepOutcome(reward: 0, isTruncated: true)
    outcome.isLost = true
    return outcome
  }
}

/// What environments share that do not compute by themselves, such as the process in which they
/// live. A vector visits them on threads that may wait.
public protocol EnvironmentLane: AnyObject {
  /// How often it was started anew after it had died, since it was made; the episodes that ran in it
  /// were lost each time.
  var restartCount: Int { get }

  /// Whether its environments are stepped together: each has a thread, which waits in `step` for
  /// the others. Otherwise one is stepped after another, on one thread.
  var stepsTogether: Bool { get }

  /// Told before each visit how many of its environments are visited.
  func beginVisit(of count: Int)
  /// Told by each of them that its part of the visit is over.
  func endVisit()
}

extension EnvironmentLane {
  /// One after another.
  public var stepsTogether: Bool { false }
  /// Of no interest where one is visited after another.
  public func beginVisit(of count: Int) {}
  /// Of no interest where one is visited after another.
  public func endVisit() {}
}

extension Environment {
  /// Most environments have nothing to say beyond their observation.
  public var info: [String: Double] { [:] }

  /// Most environments compute by themselves.
  public var lane: (any EnvironmentLane)? { nil }

  /// Most environments are part of this program.
  public var versions: [String: String] { [:] }

  /// Most environments compute a step when it is taken.
  public func prepare(_ actions: UnsafeBufferPointer<Float>) {}

  /// No cameras, unless an environment has some.
  public var cameras: [Camera] { [] }

  /// No images, where there are no cameras.
  public func observeImages() throws -> [[Image]] {
    precondition(cameras.isEmpty, "\(name) has cameras and gives no images")
    return []
  }

  /// Seeds only, unless an environment says otherwise.
  public var startingStateNames: [String] { [] }

  /// Starts an episode whose initial state depends on the seed alone.
  ///
  /// - Throws: what `reset(_:)` throws.
  public func reset(seed: UInt64) throws { try reset(.seed(seed)) }

  /// Stops the program when a starting state does not fit this environment.
  func checkStartingState(_ state: [Double]) {
    precondition(
      state.count == startingStateNames.count && !state.isEmpty,
      "\(name) starts from \(startingStateNames.count) numbers \(startingStateNames), not "
        + "\(state.count)")
  }

  /// No image unless an environment draws one.
  public func render(width: Int, height: Int) throws -> Image {
    throw EnvironmentError.renderingUnavailable(environment: name, reason: "it draws no image")
  }

  /// The current observation, copied.
  public var observation: [Float] {
    [Float](unsafeUninitializedCapacity: observationSpace.count) { buffer, count in
      count = observationSpace.count
      observe(into: UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
    }
  }

  /// Applies one action given as an array.
  ///
  /// - Throws: what `step(_:)` of a buffer throws.
  @discardableResult
  public func step(_ action: [Float]) throws -> StepOutcome {
    precondition(
      action.count == actionSpace.count,
      "\(name) takes actions of shape \(actionSpace.shape), not \(action.count) elements")
    return try action.withUnsafeBufferPointer { try step($0) }
  }

  /// Everything that the future of the episode depends on.
  ///
  /// - Throws: what `save(to:)` throws.
  public func savedState() throws -> EnvironmentState {
    var state = EnvironmentState()
    try save(to: &state)
    return state
  }

  /// Takes back a saved state.
  ///
  /// - Throws: `EnvironmentError.stateMismatch` if another kind of environment saved it.
  public func restore(_ state: EnvironmentState) throws {
    var reader = EnvironmentState.Reader(state)
    try restore(from: &reader)
    try reader.finish()
  }
}
