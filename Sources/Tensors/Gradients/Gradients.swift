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
