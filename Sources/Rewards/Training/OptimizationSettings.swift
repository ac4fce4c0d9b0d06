import NeuralNetworks

/// How weights are changed.
public struct OptimizationSettings: Codable, Hashable, Sendable {
  /// Pictures in a step.
  public var batchSize = 128
  /// The number of steps.
  public var stepCount = 10_000
  /// The highest learning rate, after the warm-up.
  public var learningRate = 1e-3
  /// The learning rate at the end, reached along half a cosine.
  public var finalLearningRate = 1e-5
  /// Steps in which the learning rate rises from the final one to the highest.
  public var warmUpStepCount = 200
  /// AdamW's.
  public var weightDecay = 0.01
  /// How much of the averaged weights a step keeps.
  public var averageDecay = 0.998
  /// Gradients are scaled down to this norm; 0 for no limit.
  public var gradientNormLimit = 1.0
  /// Rows of a batch that one worker takes at a time; decides the order of sums.
  public var shardSize = 8

  /// The defaults.
  public init() {}

  /// - Throws: `SettingError` naming a setting that is out of its range.
  public func validate() throws(SettingError) {
    typealias Check = SettingError
    try Check.require((2...65_536).contains(batchSize), "batchSize", batchSize, "2 to 65536")
    try Check.require(
      (1...1_000_000_000).contains(stepCount), "stepCount", stepCount, "1 to 1000000000")
    try Check.require(
      learningRate > 0 && learningRate.isFinite, "learningRate", learningRate, "a number above 0")
    try Check.require(
      (0...learningRate).contains(finalLearningRate), "finalLearningRate", finalLearningRate,
      "0 to learningRate, which is \(learningRate)")
    try Check.require(
      (0..<stepCount).contains(warmUpStepCount), "warmUpStepCount", warmUpStepCount,
      "a number below stepCount, which is \(stepCount)")
    try Check.require(
      (0..<1).contains(weightDecay), "weightDecay", weightDecay, "0 to less than 1")
    try Check.require(
      (0..<1).contains(averageDecay), "averageDecay", averageDecay, "0 to less than 1")
    try Check.require(
      gradientNormLimit >= 0 && gradientNormLimit.isFinite, "gradientNormLimit",
      gradientNormLimit, "a number from 0")
    try Check.require((1...4_096).contains(shardSize), "shardSize", shardSize, "1 to 4096")
  }
}
