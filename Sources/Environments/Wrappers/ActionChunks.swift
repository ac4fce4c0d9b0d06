/// Takes `Ta` actions at once, shape `[Ta, Da]`, and executes them one after another.
///
/// The rewards are summed. An episode that ends within a chunk ends the chunk: its other actions
/// are not executed.
public final class ActionChunks: EnvironmentWrapper {
  /// The environment inside.
  public let base: any Environment
  /// `Ta` of the base's actions: `[Ta, Da]`.
  public let actionSpace: BoxSpace
  private let count: Int

  /// Executes `count` actions in a step.
  public init(_ base: any Environment, count: Int) {
    precondition(count > 0, "a chunk holds at least one action, not \(count)")
    self.base = base
    self.count = count
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
    var sum = StepOutcome(reward: 0)
    for start in stride(from: 0, to: action.count, by: size) {
      let outcome = try base.step(UnsafeBufferPointer(rebasing: action[start..<start + size]))
      sum.reward += outcome.reward
      sum.isTerminated = outcome.isTerminated
      sum.isTruncated = outcome.isTruncated
      if outcome.isFinished { break }
    }
    return sum
  }
}
