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
