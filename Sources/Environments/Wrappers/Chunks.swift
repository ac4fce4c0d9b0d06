import Media

/// Shows the last `To` observations, oldest first: shape `[To, Do]`, and as many images a camera.
///
/// At an episode's start the first observation fills the places of those that were never made.
public final class ObservationHistory: EnvironmentWrapper {
  /// The environment inside.
  public let base: any Environment
  /// `To` of the base's observations: `[To, Do]`.
  public let observationSpace: BoxSpace
  private let history: UnsafeMutableBufferPointer<Float>
  /// The last `To` images of each camera; unused where one is enough, which the base gives.
  private var images: [[Image]] = []
  private let count: Int
  /// The size of one observation.
  private let size: Int

  /// Keeps the last `count` observations.
  public init(_ base: any Environment, count: Int) {
    precondition(count > 0, "a history holds at least one observation, not \(count)")
    self.base = base
    self.count = count
    size = base.observationSpace.count
    observationSpace = base.observationSpace.stacked(count)
    history = .allocate(capacity: observationSpace.count)
    history.initialize(repeating: 0)
  }

  deinit { history.deallocate() }

  /// Starts an episode, the history full of its first observation.
  public func reset(_ start: EpisodeStart) throws {
    try base.reset(start)
    base.observe(into: newest)
    for start in stride(from: 0, to: history.count - size, by: size) {
      _ = UnsafeMutableBufferPointer(rebasing: history[start..<start + size])
        .update(fromContentsOf: newest)
    }
    guard keepsImages else { return }
    images = try base.observeImages().map { newest in (0..<count).flatMap { _ in newest } }
  }

  /// Passes the actions on.
  public func prepare(_ actions: UnsafeBufferPointer<Float>) { base.prepare(actions) }

  /// Images are drawn at every step only where more than the last one is seen.
  private var keepsImages: Bool { count > 1 && !base.cameras.isEmpty }

  /// Steps the base and drops the oldest observation for the new one.
  public func step(_ action: UnsafeBufferPointer<Float>) throws -> StepOutcome {
    let outcome = try base.step(action)
    for index in 0..<history.count - size { history[index] = history[index + size] }
    base.observe(into: newest)
    if keepsImages {
      for (camera, newest) in try base.observeImages().enumerated() {
        images[camera].removeFirst()
        images[camera] += newest
      }
    }
    return outcome
  }

  /// The last `To` images of each camera, oldest first.
  public func observeImages() throws -> [[Image]] {
    keepsImages ? images : try base.observeImages()
  }

  /// Writes the history, oldest observation first.
  public func observe(into observation: UnsafeMutableBufferPointer<Float>) {
    _ = observation.update(fromContentsOf: history)
  }

  /// Appends this layer's part, then the base's.
  public func save(to state: inout EnvironmentState) throws {
    state.appendTag("observation history")
    state.append(contentsOf: history)
    for image in images.joined() { state.append(contentsOf: image.samples) }
    try base.save(to: &state)
  }

  /// Takes back this layer's part, then the base's.
  public func restore(from reader: inout EnvironmentState.Reader) throws {
    try reader.readTag("observation history")
    let values = try reader.readFloats(expectedCount: history.count)
    if keepsImages {
      images = try base.cameras.map { camera in
        try (0..<count).map { _ in
          Image(
            width: camera.width, height: camera.height, channelCount: camera.channelCount,
            samples: try reader.readBytes(expectedCount: camera.shape.reduce(1, *)))
        }
      }
    }
    try base.restore(from: &reader)
    _ = history.update(fromContentsOf: values)
  }

  private var newest: UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(rebasing: history[(history.count - size)...])
  }
}

/// Takes `Ta` actions at once, shape `[Ta, Da]`, and executes them one after another.
///
/// The rewards are summed, discounted where a gamma is given. An episode that ends within a chunk ends the chunk: its other actions
/// are not executed.
public final class ActionChunks: EnvironmentWrapper {
  /// The environment inside.
  public let base: any Environment
  /// `Ta` of the base's actions: `[Ta, Da]`.
  public let actionSpace: BoxSpace
  /// The actions of the last chunk that were executed.
  public private(set) var executedSteps = 0
  private let count: Int
  private let gamma: Float
  /// Whether it gains anything by knowing the actions before.
  private let computesAhead: Bool

  /// Executes `count` actions in a step, whose i-th reward counts gamma^i.
  public init(_ base: any Environment, count: Int, gamma: Float = 1) {
    precondition(count > 0, "a chunk holds at least one action, not \(count)")
    self.base = base
    self.count = count
    self.gamma = gamma
    computesAhead = count > 1 && base.lane != nil
    actionSpace = base.actionSpace.stacked(count)
  }

  /// Chunks in a second.
  public var stepsPerSecond: Double { base.stepsPerSecond / Double(count) }

  /// Executes a chunk, or its beginning if the episode ends in it.
  public func step(_ action: UnsafeBufferPointer<Float>) throws -> StepOutcome {
    precondition(
      action.count == actionSpace.count,
      "\(name) takes actions of shape \(actionSpace.shape), not \(action.count) elements")
    let size = base.actionSpace.count
    if computesAhead { base.prepare(action) }
    var sum = StepOutcome(reward: 0)
    var discount: Float = 1
    executedSteps = 0
    for start in stride(from: 0, to: action.count, by: size) {
      let outcome = try base.step(UnsafeBufferPointer(rebasing: action[start..<start + size]))
      sum.reward += discount * outcome.reward
      discount *= gamma
      executedSteps += 1
      sum.isTerminated = outcome.isTerminated
      sum.isTruncated = outcome.isTruncated
      sum.isLost = outcome.isLost
      if outcome.isFinished { break }
    }
    return sum
  }
}
