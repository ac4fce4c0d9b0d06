/// Shows observations and takes actions in the range [-1, 1] of the data a policy was trained on.
public final class NormalizedEnvironment: EnvironmentWrapper {
  /// The environment inside.
  public let base: any Environment
  /// The base's shape and names; unbounded where observations are normalized.
  public let observationSpace: BoxSpace
  /// The base's shape and names; -1 ... 1 where actions are normalized.
  public let actionSpace: BoxSpace
  private let observations: MinMaxNormalization?
  private let actions: MinMaxNormalization?
  private let rawAction: UnsafeMutableBufferPointer<Float>

  /// Normalizes what is given; nil leaves observations or actions as they are.
  public init(
    _ base: any Environment, observations: MinMaxNormalization?, actions: MinMaxNormalization?
  ) {
    let observationSize = base.observationSpace.shape.last ?? 0
    let actionSize = base.actionSpace.shape.last ?? 0
    precondition(
      (observations?.size ?? observationSize) == observationSize
        && (actions?.size ?? actionSize) == actionSize,
      "\(base.name) observes \(base.observationSpace.shape) and takes \(base.actionSpace.shape); "
        + "the normalizations have \(observations?.size ?? observationSize) and "
        + "\(actions?.size ?? actionSize) components")
    self.base = base
    self.observations = observations
    self.actions = actions
    // Data need not reach all that an environment can show.
    observationSpace =
      observations == nil
      ? base.observationSpace : base.observationSpace.bounded(by: -.infinity ... .infinity)
    actionSpace = actions == nil ? base.actionSpace : base.actionSpace.bounded(by: -1...1)
    rawAction = .allocate(capacity: base.actionSpace.count)
    rawAction.initialize(repeating: 0)
  }

  deinit { rawAction.deallocate() }

  /// Steps the base with the action in its own units.
  public func step(_ action: UnsafeBufferPointer<Float>) throws -> StepOutcome {
    guard let actions else { return try base.step(action) }
    precondition(
      action.count == rawAction.count,
      "\(name) takes actions of shape \(actionSpace.shape), not \(action.count) elements")
    _ = rawAction.update(fromContentsOf: action)
    actions.denormalize(rawAction)
    return try base.step(UnsafeBufferPointer(rawAction))
  }

  /// Writes the base's observation, normalized.
  public func observe(into observation: UnsafeMutableBufferPointer<Float>) {
    base.observe(into: observation)
    observations?.normalize(observation)
  }
}
