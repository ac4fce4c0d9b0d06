import Glibc
import Tensors

/// A set of float arrays of one shape, each element between its own bounds.
public struct BoxSpace: Equatable, Sendable {
  /// The size of each dimension, outermost first; `[Do]` or `[Da]`, `[To, Do]` with a history.
  public let shape: [Int]
  /// The minimum value of each element in row-major order; may be -infinity.
  public let lowerBounds: [Float]
  /// The maximum value of each element in row-major order; may be infinity.
  public let upperBounds: [Float]
  /// What each element of the last dimension is, such as `thigh angle`.
  public let names: [String]

  /// The number of elements.
  public var count: Int { lowerBounds.count }

  /// Makes a one-dimensional space whose elements have names and bounds.
  public init(names: [String], lowerBounds: [Float], upperBounds: [Float]) {
    self.init(
      shape: [names.count], names: names, lowerBounds: lowerBounds, upperBounds: upperBounds)
  }

  /// Makes a one-dimensional space whose elements share their bounds.
  public init(names: [String], bounds: ClosedRange<Float>) {
    self.init(
      names: names,
      lowerBounds: Array(repeating: bounds.lowerBound, count: names.count),
      upperBounds: Array(repeating: bounds.upperBound, count: names.count))
  }

  private init(shape: [Int], names: [String], lowerBounds: [Float], upperBounds: [Float]) {
    precondition(
      lowerBounds.count == upperBounds.count && lowerBounds.count == shape.reduce(1, *),
      "a space of shape \(shape) needs as many bounds, not \(lowerBounds.count) lower and "
        + "\(upperBounds.count) upper ones")
    self.shape = shape
    self.names = names
    self.lowerBounds = lowerBounds
    self.upperBounds = upperBounds
  }

  /// The space of `count` values of this one, one after another: shape `[count] + shape`.
  public func stacked(_ count: Int) -> BoxSpace {
    precondition(count > 0, "a stack needs at least one layer, not \(count)")
    return BoxSpace(
      shape: [count] + shape, names: names,
      lowerBounds: (0..<count).flatMap { _ in lowerBounds },
      upperBounds: (0..<count).flatMap { _ in upperBounds })
  }

  /// The same shape and names with one pair of bounds for all elements.
  public func bounded(by bounds: ClosedRange<Float>) -> BoxSpace {
    BoxSpace(
      shape: shape, names: names,
      lowerBounds: Array(repeating: bounds.lowerBound, count: count),
      upperBounds: Array(repeating: bounds.upperBound, count: count))
  }

  /// The first element that is not a number or lies outside its bounds by more than `tolerance`.
  public func firstViolation(
    in values: UnsafeBufferPointer<Float>, tolerance: Float = 0
  ) -> Int? {
    precondition(values.count == count, "a value of shape \(shape), not \(values.count) elements")
    return values.indices.first { index in
      let value = values[index]
      return !(value >= lowerBounds[index] - tolerance && value <= upperBounds[index] + tolerance)
    }
  }
}

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

/// Double-precision draws for initial states.
extension RandomStream {
  /// A uniform draw in [`low`, `high`), which may be one and the same number.
  mutating func uniform(from low: Double, to high: Double) -> Double {
    low + (high - low) * Double.random(in: 0..<1, using: &self)
  }

  /// A draw from the standard normal distribution, by Box and Muller's formula.
  mutating func standardNormal() -> Double {
    let radius = (-2 * log(1 - Double.random(in: 0..<1, using: &self))).squareRoot()
    return radius * cos(2 * .pi * Double.random(in: 0..<1, using: &self))
  }
}
