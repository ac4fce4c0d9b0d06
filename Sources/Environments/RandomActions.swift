import Tensors

/// Actions drawn uniformly from a space, a function of (seed, step).
public struct RandomActions: Sendable {
  /// Where they are drawn from; unbounded elements are drawn from -1000 ... 1000.
  public let space: BoxSpace
  /// What decides them, together with the step.
  public let seed: UInt64

  /// The actions of one seed.
  public init(space: BoxSpace, seed: UInt64) {
    self.space = space
    self.seed = seed
  }

  /// The action of a step.
  public subscript(step: Int) -> [Float] {
    var random = RandomStream(seed: seed, purpose: "random actions", index: step)
    return zip(space.lowerBounds, space.upperBounds).map { low, high in
      let (low, high) = (Double(max(low, -1e3)), Double(min(high, 1e3)))
      return Float(random.uniform(from: low, to: high))
    }
  }
}
