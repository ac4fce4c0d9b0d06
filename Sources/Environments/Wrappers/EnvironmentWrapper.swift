import Media

/// An environment around another one, which changes part of what goes in or comes out.
///
/// What a wrapper does not implement itself is the inner environment's, but for `prepare`: a wrapper
/// that passes actions on as they are passes that on too.
public protocol EnvironmentWrapper: Environment {
  /// The environment inside.
  var base: any Environment { get }
}

extension EnvironmentWrapper {
  /// The inner environment's name.
  public var name: String { base.name }
  /// What the inner environment shows.
  public var observationSpace: BoxSpace { base.observationSpace }
  /// The inner environment's cameras.
  public var cameras: [Camera] { base.cameras }
  /// What the inner environment takes.
  public var actionSpace: BoxSpace { base.actionSpace }
  /// That of the inner environment.
  public var lane: (any EnvironmentLane)? { base.lane }
  /// Those of the inner environment.
  public var versions: [String: String] { base.versions }
  /// The pace of the inner environment.
  public var stepsPerSecond: Double { base.stepsPerSecond }
  /// The inner environment's measurements.
  public var info: [String: Double] { base.info }
  /// What the inner environment starts from.
  public var startingStateNames: [String] { base.startingStateNames }
  /// Starts an episode of the inner environment.
  public func reset(_ start: EpisodeStart) throws { try base.reset(start) }
  /// Steps the inner environment.
  public func step(_ action: UnsafeBufferPointer<Float>) throws -> StepOutcome {
    try base.step(action)
  }
  /// Writes the inner environment's observation.
  public func observe(into observation: UnsafeMutableBufferPointer<Float>) {
    base.observe(into: observation)
  }
  /// The inner environment's images.
  public func observeImages() throws -> [[Image]] { try base.observeImages() }
  /// Appends the inner environment's state.
  public func save(to state: inout EnvironmentState) throws { try base.save(to: &state) }
  /// Takes back the inner environment's state.
  public func restore(from reader: inout EnvironmentState.Reader) throws {
    try base.restore(from: &reader)
  }
  /// Draws the inner environment.
  public func render(width: Int, height: Int) throws -> Image {
    try base.render(width: width, height: height)
  }
}

extension Environment {
  /// The outermost layer of a type: this environment, or one that it wraps.
  public func layer<Layer>(_ type: Layer.Type = Layer.self) -> Layer? {
    self as? Layer ?? (self as? any EnvironmentWrapper)?.base.layer(type)
  }
}

/// Shows the environment inside to somebody at every start and after every step: to draw it, say.
public final class StepVisitor: EnvironmentWrapper {
  /// The environment inside.
  public let base: any Environment
  private let visit: (any Environment, StepOutcome?) throws -> Void

  /// - Parameters:
  ///   - base: the environment.
  ///   - visit: sees it, and the outcome of the step; nil at a start. What it throws is thrown by
  ///     the reset or step.
  public init(
    _ base: any Environment, visit: @escaping (any Environment, StepOutcome?) throws -> Void
  ) {
    self.base = base
    self.visit = visit
  }

  /// Passes the actions on.
  public func prepare(_ actions: UnsafeBufferPointer<Float>) { base.prepare(actions) }

  /// Starts an episode and shows its start.
  public func reset(_ start: EpisodeStart) throws {
    try base.reset(start)
    try visit(base, nil)
  }

  /// Steps the base and shows what came of it.
  public func step(_ action: UnsafeBufferPointer<Float>) throws -> StepOutcome {
    let outcome = try base.step(action)
    try visit(base, outcome)
    return outcome
  }
}

/// Cuts an episode short after a number of steps.
public final class TimeLimit: EnvironmentWrapper {
  /// The environment inside.
  public let base: any Environment
  /// The steps after which an episode is truncated.
  public let stepLimit: Int
  /// Steps since the last reset.
  public private(set) var stepCount = 0

  /// Limits an environment's episodes.
  public init(_ base: any Environment, stepLimit: Int) {
    precondition(stepLimit > 0, "a time limit of \(stepLimit) steps leaves no episode")
    self.base = base
    self.stepLimit = stepLimit
  }

  /// Passes on the actions that are left before the limit.
  public func prepare(_ actions: UnsafeBufferPointer<Float>) {
    let count = min(actions.count, max(stepLimit - stepCount, 0) * actionSpace.count)
    base.prepare(UnsafeBufferPointer(rebasing: actions[..<count]))
  }

  /// Starts an episode and its count.
  public func reset(_ start: EpisodeStart) throws {
    stepCount = 0
    try base.reset(start)
  }

  /// Steps the base; the step that reaches the limit is truncated.
  public func step(_ action: UnsafeBufferPointer<Float>) throws -> StepOutcome {
    stepCount += 1
    var outcome = try base.step(action)
    // A last step may be both: then no value follows, and that is what counts to a learner.
    if stepCount >= stepLimit { outcome.isTruncated = true }
    return outcome
  }

  /// Appends this layer's part, then the base's.
  public func save(to state: inout EnvironmentState) throws {
    state.appendTag("time limit")
    state.append(stepCount)
    try base.save(to: &state)
  }

  /// Takes back this layer's part, then the base's.
  public func restore(from reader: inout EnvironmentState.Reader) throws {
    try reader.readTag("time limit")
    stepCount = try reader.readInteger()
    try base.restore(from: &reader)
  }
}
