/// An environment around another one, which changes part of what goes in or comes out.
///
/// What a wrapper does not implement itself is the inner environment's.
public protocol EnvironmentWrapper: Environment {
  /// The environment inside.
  var base: any Environment { get }
}

extension EnvironmentWrapper {
  public var name: String { base.name }
  public var observationSpace: BoxSpace { base.observationSpace }
  public var actionSpace: BoxSpace { base.actionSpace }
  public var stepsPerSecond: Double { base.stepsPerSecond }
  public var info: [String: Double] { base.info }
  public var startingStateNames: [String] { base.startingStateNames }
  public func reset(_ start: EpisodeStart) { base.reset(start) }
  public func step(_ action: UnsafeBufferPointer<Float>) -> StepOutcome { base.step(action) }
  public func observe(into observation: UnsafeMutableBufferPointer<Float>) {
    base.observe(into: observation)
  }
  public func save(to state: inout EnvironmentState) { base.save(to: &state) }
  public func restore(from reader: inout EnvironmentState.Reader) throws {
    try base.restore(from: &reader)
  }
  public func render(width: Int, height: Int) throws -> Frame {
    try base.render(width: width, height: height)
  }
}

extension Environment {
  /// The outermost layer of a type: this environment, or one that it wraps.
  public func layer<Layer>(_ type: Layer.Type = Layer.self) -> Layer? {
    self as? Layer ?? (self as? any EnvironmentWrapper)?.base.layer(type)
  }
}
