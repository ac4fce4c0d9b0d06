/// What an operation has to remember of an operand whose elements its gradient does not need.
///
/// A closure that names the tensor itself would keep its elements until the walk back is over.
struct GradientOperand: Sendable {
  let shape: [Int]
  let node: GradientNode?

  init(_ tensor: Tensor) {
    shape = tensor.shape
    node = tensor.node
  }
}

extension GradientAccumulator {
  /// Adds the gradient at an operand that was broadcast, given that at its broadcast form.
  func add(_ gradient: @autoclosure () -> Tensor, toBroadcast operand: GradientOperand) {
    add(gradient().sum(to: operand.shape), to: operand.node)
  }
}
