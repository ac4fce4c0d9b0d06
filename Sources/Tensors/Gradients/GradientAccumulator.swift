/// Sums gradients while a recorded graph is walked backwards.
///
/// Used by one thread at a time. Leaves keep their sums from one walk to the next, so that a lane
/// of shards adds into the same memory.
final class GradientAccumulator {
  private var sums: [ObjectIdentifier: Tensor] = [:]
  /// Leaves met so far, kept alive because their identities are the keys.
  private(set) var leaves: [ObjectIdentifier: GradientNode] = [:]

  /// Adds a gradient for `node`; nil means that nobody wants it.
  func add(_ gradient: @autoclosure () -> Tensor, to node: GradientNode?) {
    guard let node else { return }
    let key = ObjectIdentifier(node)
    guard var sum = sums.removeValue(forKey: key) else {
      sums[key] = gradient()
      return
    }
    sum.add(gradient())
    sums[key] = sum
  }

  /// Lets an operation write or add its contribution directly, without a temporary.
  ///
  /// - Parameter body: gets the elements and whether they hold a sum to add to.
  func accumulate(
    into node: GradientNode?, shape: [Int],
    _ body: (UnsafeMutablePointer<Float>, _ accumulates: Bool) -> Void
  ) {
    guard let node else { return }
    let key = ObjectIdentifier(node)
    if var sum = sums.removeValue(forKey: key) {
      precondition(sum.shape == shape, "a gradient of shape \(shape) meets one of \(sum.shape)")
      sum.withUnsafeMutableElements { body($0.baseAddress!, true) }
      sums[key] = sum
    } else {
      sums[key] = Tensor(shape: shape) { body($0.baseAddress!, false) }
    }
  }

  /// Walks the graph of `result` backwards from the given gradient.
  func walk(from result: Tensor, gradient: Tensor) {
    guard let root = result.node else { return }
    add(gradient, to: root)
    let arithmetic = ProductArithmetic.current
    for node in nodesInOrder(from: root) {
      let key = ObjectIdentifier(node)
      guard let backward = node.backward else {
        leaves[key] = node
        continue
      }
      guard let gradient = sums.removeValue(forKey: key) else { continue }
      if node.arithmetic == arithmetic {
        backward(gradient, self)
      } else {
        ProductArithmetic.$current.withValue(node.arithmetic) { backward(gradient, self) }
      }
    }
  }

  private func nodesInOrder(from root: GradientNode) -> [GradientNode] {
    var seen: Set<ObjectIdentifier> = [ObjectIdentifier(root)]
    var nodes = [root]
    var next = 0
    while next < nodes.count {
      for input in nodes[next].inputs where seen.insert(ObjectIdentifier(input)).inserted {
        nodes.append(input)
      }
      next += 1
    }
    // Equal depths never depend on one another, but their order of summation must be reproducible.
    return nodes.enumerated().sorted {
      ($0.element.depth, $1.offset) > ($1.element.depth, $0.offset)
    }.map(\.element)
  }

  /// The sums of all leaves met, which the accumulator then forgets: whoever adds to them next owns
  /// their memory alone.
  func takeGradients() -> Gradients {
    var gradients = Gradients()
    for (key, node) in leaves {
      if let sum = sums.removeValue(forKey: key) { gradients.set(sum, for: node) }
    }
    return gradients
  }
}
