/// One recorded operation, or a leaf whose gradient is wanted.
final class GradientNode: Sendable {
  /// Nodes of the operation's inputs that track gradients.
  let inputs: [GradientNode]
  /// Longer than that of any input: going down in depth visits results before their inputs.
  let depth: Int
  /// Adds the inputs' gradients to the accumulator, given the result's; nil for a leaf.
  let backward: (@Sendable (Tensor, GradientAccumulator) -> Void)?

  init(
    inputs: [GradientNode], backward: (@Sendable (Tensor, GradientAccumulator) -> Void)?
  ) {
    self.inputs = inputs
    self.backward = backward
    depth = 1 + (inputs.map(\.depth).max() ?? 0)
  }
}
