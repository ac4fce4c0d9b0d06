/// Shows the environment inside to somebody at every start and after every step: to draw it, say.
public final class StepVisitor: EnvironmentWrapper {
  /// The environment inside.
  public let base: any Environment
  private let visit: (any Environment, StepOutcome?) -> Void

  /// - Parameters:
  ///   - base: the environment.
  ///   - visit: sees it, and the outcome of the step; nil at a start.
  public init(_ base: any Environment, visit: @escaping (any Environment, StepOutcome?) -> Void) {
    self.base = base
    self.visit = visit
  }

  /// Starts an episode and shows its start.
  public func reset(_ start: EpisodeStart) {
    base.reset(start)
    visit(base, nil)
  }

  /// Steps the base and shows what came of it.
  public func step(_ action: UnsafeBufferPointer<Float>) -> StepOutcome {
    let outcome = base.step(action)
    visit(base, outcome)
    return outcome
  }
}
