/// Maps each component of a data set from its range to [-1, 1], and back.
///
/// A component that never varied is a constant on the way back, whatever is mapped: what a network
/// says, or explores, cannot move what the data never moved.
public struct MinMaxNormalization: Equatable, Sendable, Codable {
  /// The minimum value of each component, shape `[D]`.
  public let minimum: [Float]
  /// The maximum value of each component, shape `[D]`.
  public let maximum: [Float]

  /// Added to every range that an observation is divided by, at least 0: 1e-6 in policies of the
  /// DPPO reference, to which constants are -1 so.
  ///
  /// It is kept apart from the maximum, where it would be lost beside large values.
  public let rangeOffset: Float

  /// An observation whose range is below this counts as a constant: it is shifted to 0 and not
  /// scaled, so that noise of the last digit does not become noise of the size of everything else.
  package static let minRange: Float = 1e-6

  /// Takes the ranges of the components.
  public init(minimum: [Float], maximum: [Float], rangeOffset: Float = 0) {
    precondition(
      minimum.count == maximum.count && zip(minimum, maximum).allSatisfy { $0 <= $1 },
      "a minimum of \(minimum.count) components and a maximum of \(maximum.count), each at least "
        + "the minimum's")
    precondition(
      rangeOffset >= 0 && rangeOffset.isFinite, "ranges cannot grow by \(rangeOffset)")
    self.minimum = minimum
    self.maximum = maximum
    self.rangeOffset = rangeOffset
  }

  private enum CodingKeys: String, CodingKey { case minimum, maximum, rangeOffset }

  /// Reads ranges.
  ///
  /// - Throws: `DecodingError` if they are none.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    minimum = try values.decode([Float].self, forKey: .minimum)
    maximum = try values.decode([Float].self, forKey: .maximum)
    rangeOffset = try values.decodeIfPresent(Float.self, forKey: .rangeOffset) ?? 0
    guard rangeOffset >= 0, rangeOffset.isFinite else {
      throw DecodingError.dataCorruptedError(
        forKey: .rangeOffset, in: values, debugDescription: "not a number from 0")
    }
    guard !minimum.isEmpty, minimum.count == maximum.count,
      zip(minimum, maximum).allSatisfy({ $0.isFinite && $1.isFinite && $0 <= $1 })
    else {
      throw DecodingError.dataCorruptedError(
        forKey: .maximum, in: values,
        debugDescription: "not as many numbers as minimum has, each at least the minimum's")
    }
  }

  /// Writes ranges; an offset only where there is one.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(minimum, forKey: .minimum)
    try values.encode(maximum, forKey: .maximum)
    if rangeOffset > 0 { try values.encode(rangeOffset, forKey: .rangeOffset) }
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

  /// The components that never varied in the data, in order.
  public var constants: [Int] { minimum.indices.filter { minimum[$0] == maximum[$0] } }

  /// Maps observations to [-1, 1], in place; values beyond the measured range go beyond it too.
  ///
  /// The values repeat with period `D`: `[D]`, `[To, D]` or `[B, To, D]`. With an offset, this is
  /// the reference's formula, operation by operation.
  public func normalize(_ values: UnsafeMutableBufferPointer<Float>) {
    let offset = rangeOffset
    forEachElement(values) { value, low, range in
      if offset > 0 { return 2 * ((value - low) / (range + offset) - 0.5) }
      return range < Self.minRange ? value - low : 2 * (value - low) / range - 1
    }
  }

  /// Maps actions of the data to [-1, 1], in place: what `denormalize` takes back. Constants
  /// become 0.
  ///
  /// However small a range is, actions have to be told apart in it: none counts as a constant that
  /// is not one.
  public func normalizeActions(_ values: UnsafeMutableBufferPointer<Float>) {
    forEachElement(values) { value, low, range in
      range > 0 ? 2 * ((value - low) / range) - 1 : 0
    }
  }

  /// Maps actions from [-1, 1] back to the data's range, in place. A constant is the constant.
  public func denormalize(_ values: UnsafeMutableBufferPointer<Float>) {
    forEachElement(values) { value, low, range in
      // Not `low` at once: what is not a number has to stay so, for the guard to see it.
      (value + 1) / 2 * range + low
    }
  }

  /// The normalized observations.
  public func normalized(_ values: [Float]) -> [Float] {
    var values = values
    values.withUnsafeMutableBufferPointer { normalize($0) }
    return values
  }

  /// The actions in the data's own units.
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

/// Shows observations and takes actions in the range [-1, 1] of the data a policy was trained on.
public final class NormalizedEnvironment: EnvironmentWrapper {
  /// The environment inside.
  public let base: any Environment
  /// The base's shape and names; unbounded where observations are normalized.
  public let observationSpace: BoxSpace
  /// The base's shape and names; -1 ... 1 where actions are normalized.
  public let actionSpace: BoxSpace
  private let observations: MinMaxNormalization?
  private let actions: MinMaxNormalization?
  private let rawAction: UnsafeMutableBufferPointer<Float>

  /// Normalizes what is given; nil leaves observations or actions as they are.
  public init(
    _ base: any Environment, observations: MinMaxNormalization?, actions: MinMaxNormalization?
  ) {
    let observationSize = base.observationSpace.shape.last ?? 0
    let actionSize = base.actionSpace.shape.last ?? 0
    precondition(
      (observations?.size ?? observationSize) == observationSize
        && (actions?.size ?? actionSize) == actionSize,
      "\(base.name) observes \(base.observationSpace.shape) and takes \(base.actionSpace.shape); "
        + "the normalizations have \(observations?.size ?? observationSize) and "
        + "\(actions?.size ?? actionSize) components")
    self.base = base
    self.observations = observations
    self.actions = actions
    // Data need not reach all that an environment can show.
    observationSpace =
      observations == nil
      ? base.observationSpace : base.observationSpace.bounded(by: -.infinity ... .infinity)
    actionSpace = actions == nil ? base.actionSpace : base.actionSpace.bounded(by: -1...1)
    rawAction = .allocate(capacity: base.actionSpace.count)
    rawAction.initialize(repeating: 0)
  }

  deinit { rawAction.deallocate() }

  /// Passes the actions on in the base's units.
  public func prepare(_ actions: UnsafeBufferPointer<Float>) {
    guard let normalization = self.actions else { return base.prepare(actions) }
    var raw = Array(actions)
    raw.withUnsafeMutableBufferPointer { raw in
      normalization.denormalize(raw)
      base.prepare(UnsafeBufferPointer(raw))
    }
  }

  /// Steps the base with the action in its own units.
  public func step(_ action: UnsafeBufferPointer<Float>) throws -> StepOutcome {
    guard let actions else { return try base.step(action) }
    precondition(
      action.count == rawAction.count,
      "\(name) takes actions of shape \(actionSpace.shape), not \(action.count) elements")
    _ = rawAction.update(fromContentsOf: action)
    actions.denormalize(rawAction)
    return try base.step(UnsafeBufferPointer(rawAction))
  }

  /// Writes the base's observation, normalized.
  public func observe(into observation: UnsafeMutableBufferPointer<Float>) {
    base.observe(into: observation)
    observations?.normalize(observation)
  }
}
