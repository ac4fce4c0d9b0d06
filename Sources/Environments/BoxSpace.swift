/// A set of float arrays of one shape, each element between its own bounds.
public struct BoxSpace: Equatable, Sendable {
  /// The size of each dimension, outermost first; `[Do]` or `[Da]`, `[To, Do]` with a history.
  public let shape: [Int]
  /// The least value of each element in row-major order; may be -infinity.
  public let lowerBounds: [Float]
  /// The greatest value of each element in row-major order; may be infinity.
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
