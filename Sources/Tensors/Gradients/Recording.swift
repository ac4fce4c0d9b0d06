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
