import Tensors

/// A tensor that training changes.
///
/// Unchecked sendable because of its rule of use: values are read by many threads during a step and
/// written only between steps, by the one thread that owns the training loop.
public final class Parameter: @unchecked Sendable {
  /// The current value.
  public var value: Tensor
  /// Whether gradients are taken of it; a frozen network's parameters are not trainable.
  public var isTrainable = true
  /// The identity under which `Gradients` knows it.
  public let leaf = GradientLeaf()

  /// A trainable parameter of the given value.
  public init(_ value: Tensor) { self.value = value }

  /// The value as operations should see it: tracked if gradients are being recorded.
  public var tensor: Tensor {
    isTrainable && Recording.isOn ? value.tracked(as: leaf) : value
  }
}
