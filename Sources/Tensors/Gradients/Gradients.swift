/// Gradients of one scalar with respect to the leaves it was computed from.
public struct Gradients: Sendable {
  private var sums: [ObjectIdentifier: (leaf: GradientNode, gradient: Tensor)] = [:]

  /// No gradients.
  public init() {}

  /// The gradient with respect to a tensor made by `tracked(as:)` or `tracked()`; nil if the value
  /// did not depend on it.
  public subscript(tensor: Tensor) -> Tensor? {
    guard let node = tensor.node else { return nil }
    return sums[ObjectIdentifier(node)]?.gradient
  }

  /// The gradient with respect to every tensor tracked as `leaf`.
  public subscript(leaf: GradientLeaf) -> Tensor? {
    get { sums[ObjectIdentifier(leaf.node)]?.gradient }
    set {
      sums[ObjectIdentifier(leaf.node)] = newValue.map { (leaf.node, $0) }
    }
  }

  mutating func set(_ gradient: Tensor, for leaf: GradientNode) {
    sums[ObjectIdentifier(leaf)] = (leaf, gradient)
  }

  /// Adds the gradients of another value, leaf by leaf.
  public mutating func add(_ other: Gradients) {
    for (key, entry) in other.sums {
      if var mine = sums.removeValue(forKey: key) {
        mine.gradient.add(entry.gradient)
        sums[key] = mine
      } else {
        sums[key] = entry
      }
    }
  }
}

/// The identity of something that gradients are taken of: a network's parameter, say.
public struct GradientLeaf: Sendable {
  let node = GradientNode(inputs: [], backward: nil)

  /// A new identity.
  public init() {}
}

/// One recorded operation, or a leaf whose gradient is wanted.
final class GradientNode: Sendable {
  /// Nodes of the operation's inputs that track gradients.
  let inputs: [GradientNode]
  /// Longer than that of any input: going down in depth visits results before their inputs.
  let depth: Int
  /// Adds the inputs' gradients to the accumulator, given the result's; nil for a leaf.
  let backward: (@Sendable (Tensor, GradientAccumulator) -> Void)?
  /// How the operation was computed, and its gradients are to be.
  let arithmetic = ProductArithmetic.current

  init(
    inputs: [GradientNode], backward: (@Sendable (Tensor, GradientAccumulator) -> Void)?
  ) {
    self.inputs = inputs
    self.backward = backward
    depth = 1 + (inputs.map(\.depth).max() ?? 0)
  }
}

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

/// Whether operations on parameters are recorded in this thread or task.
public enum Recording {
  /// True inside `valueAndGradients` and outside `withoutRecording`.
  @TaskLocal public static var isOn = false
}

/// Runs `body` without recording, as for a frozen network inside a recorded computation.
public func withoutRecording<Result>(_ body: () throws -> Result) rethrows -> Result {
  try Recording.$isOn.withValue(false) { try body() }
}

/// Evaluates a scalar function and its gradients with respect to all parameters and tracked
/// tensors.
///
/// First order only: the gradients are not themselves recorded.
public func valueAndGradients(
  _ function: () throws -> Tensor
) rethrows -> (value: Tensor, gradients: Gradients) {
  let value = try Recording.$isOn.withValue(true) { try function() }
  precondition(value.count == 1, "gradients are of a scalar, not of shape \(value.shape)")
  let accumulator = GradientAccumulator()
  accumulator.walk(from: value, gradient: .ones(value.shape))
  return (value.detached(), accumulator.takeGradients())
}

/// The gradients of a tensor-valued function, given the gradient at its result.
public func gradients(
  of upstream: Tensor, _ function: () throws -> Tensor
) rethrows -> Gradients {
  let value = try Recording.$isOn.withValue(true) { try function() }
  precondition(
    value.shape == upstream.shape,
    "a gradient of shape \(upstream.shape) for a result of \(value.shape)")
  let accumulator = GradientAccumulator()
  accumulator.walk(from: value, gradient: upstream)
  return accumulator.takeGradients()
}

extension Tensor {
  /// The same elements as a new leaf: gradients with respect to the result are available.
  public func tracked() -> Tensor { tracked(as: GradientLeaf()) }

  /// The same elements as a leaf of known identity.
  public func tracked(as leaf: GradientLeaf) -> Tensor {
    Tensor(shape: shape, storage: storage, offset: offset, node: leaf.node)
  }

  /// Marks this result as computed from `inputs`, unless none of them tracks gradients.
  func recorded(
    from inputs: Tensor...,
    backward: @escaping @Sendable (Tensor, GradientAccumulator) -> Void
  ) -> Tensor {
    recorded(from: inputs, backward: backward)
  }

  func recorded(
    from inputs: [Tensor],
    backward: @escaping @Sendable (Tensor, GradientAccumulator) -> Void
  ) -> Tensor {
    let nodes = inputs.compactMap(\.node)
    guard !nodes.isEmpty else { return self }
    return Tensor(
      shape: shape, storage: storage, offset: offset,
      node: GradientNode(inputs: nodes, backward: backward))
  }
}
