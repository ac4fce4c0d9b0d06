import Media

/// An environment around another one, which changes part of what goes in or comes out.
///
/// What a wrapper does not implement itself is the inner environment's.
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
