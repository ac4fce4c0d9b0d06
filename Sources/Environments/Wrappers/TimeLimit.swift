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
