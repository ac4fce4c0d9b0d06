/// Maps each component of a data set from its range to [-1, 1], and back.
public struct MinMaxNormalization: Equatable, Sendable, Codable {
  /// The least value of each component, shape `[D]`.
  public let minimum: [Float]
  /// The greatest value of each component, shape `[D]`.
  public let maximum: [Float]

  /// A range below this is that of a constant: it is shifted to 0 and not scaled.
  private static let leastRange: Float = 1e-6

  /// Takes the ranges of the components.
  public init(minimum: [Float], maximum: [Float]) {
    precondition(
      minimum.count == maximum.count && zip(minimum, maximum).allSatisfy { $0 <= $1 },
      "a minimum of \(minimum.count) components and a maximum of \(maximum.count), each at least "
        + "the minimum's")
    self.minimum = minimum
    self.maximum = maximum
  }

  private enum CodingKeys: String, CodingKey { case minimum, maximum }

  /// Reads ranges.
  ///
  /// - Throws: `DecodingError` if they are none.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    minimum = try values.decode([Float].self, forKey: .minimum)
    maximum = try values.decode([Float].self, forKey: .maximum)
    guard !minimum.isEmpty, minimum.count == maximum.count,
      zip(minimum, maximum).allSatisfy({ $0.isFinite && $1.isFinite && $0 <= $1 })
    else {
      throw DecodingError.dataCorruptedError(
        forKey: .maximum, in: values,
        debugDescription: "not as many numbers as minimum has, each at least the minimum's")
    }
  }

  /// Measures the ranges of data of shape `[N, D]`, row-major.
  public init(ofRows data: some Collection<Float>, size: Int) {
    precondition(
      size > 0 && !data.isEmpty && data.count.isMultiple(of: size),
      "\(data.count) elements are no rows of \(size)")
    var minimum = [Float](repeating: .infinity, count: size)
    var maximum = [Float](repeating: -.infinity, count: size)
    var component = 0
    for value in data {
      precondition(value.isFinite, "component \(component) of the data is \(value) somewhere")
      minimum[component] = min(minimum[component], value)
      maximum[component] = max(maximum[component], value)
      component = component + 1 == size ? 0 : component + 1
    }
    self.init(minimum: minimum, maximum: maximum)
  }

  /// The number of components, `D`.
  public var size: Int { minimum.count }

  /// Maps data to [-1, 1], in place; values beyond the measured range go beyond it too.
  ///
  /// The values repeat with period `D`: `[D]`, `[To, D]` or `[B, To, D]`.
  public func normalize(_ values: UnsafeMutableBufferPointer<Float>) {
    forEachElement(values) { value, low, range in
      range < Self.leastRange ? value - low : 2 * (value - low) / range - 1
    }
  }

  /// Maps [-1, 1] back to the data's range, in place.
  public func denormalize(_ values: UnsafeMutableBufferPointer<Float>) {
    forEachElement(values) { value, low, range in
      range < Self.leastRange ? value + low : (value + 1) / 2 * range + low
    }
  }

  /// The normalized values.
  public func normalized(_ values: [Float]) -> [Float] {
    var values = values
    values.withUnsafeMutableBufferPointer { normalize($0) }
    return values
  }

  /// The values in the data's own units.
  public func denormalized(_ values: [Float]) -> [Float] {
    var values = values
    values.withUnsafeMutableBufferPointer { denormalize($0) }
    return values
  }

  private func forEachElement(
    _ values: UnsafeMutableBufferPointer<Float>, _ map: (Float, Float, Float) -> Float
  ) {
    precondition(
      values.count.isMultiple(of: size), "\(values.count) elements are no rows of \(size)")
    var component = 0
    for index in values.indices {
      let low = minimum[component]
      values[index] = map(values[index], low, maximum[component] - low)
      component = component + 1 == size ? 0 : component + 1
    }
  }
}
