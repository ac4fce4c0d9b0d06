import NeuralNetworks

/// Cycles of linear warm-up and cosine decay, counted in iterations; constant where both ends are
/// equal.
public struct CyclicLearningRate: Codable, Sendable, Hashable {
  /// The rate after warm-up.
  public var maximum: Double
  /// The rate at which cycles begin and end.
  public var minimum: Double
  /// Iterations in a cycle.
  public var cycle = 1000
  /// Iterations of warm-up in a cycle.
  public var warmUp = 10

  /// Cycles of 1000 iterations.
  public init(maximum: Double, minimum: Double) {
    self.maximum = maximum
    self.minimum = minimum
  }

  func validate() throws(SettingError) {
    try SettingError.require(
      minimum >= 0 && minimum.isFinite, "minimum", minimum, "a number from 0")
    try SettingError.require(
      maximum >= minimum && maximum.isFinite, "maximum", maximum,
      "at least the minimum, \(minimum)")
    try SettingError.require(warmUp >= 0, "warmUp", warmUp, "a number from 0")
    try SettingError.require(
      cycle > warmUp, "cycle", cycle, "more than warmUp, which is \(warmUp)")
  }

  /// As a schedule.
  var schedule: LearningRateSchedule {
    .warmRestarts(
      .init(
        maximum: maximum, minimum: minimum, firstCycleStepCount: cycle, warmUpStepCount: warmUp))
  }
}
