import NeuralNetworks

/// How a policy learns from demonstrations.
public struct PretrainingConfiguration: Codable, Sendable, Hashable {
  /// Chunks in a batch.
  public var batchSize = 256
  /// Batches to train on.
  public var batchCount = 20_000
  /// The first learning rate of AdamW.
  public var learningRate = 1e-3
  /// The last one, along half a cosine.
  public var finalLearningRate = 1e-4
  /// Batches in which the learning rate rises from 0.
  public var warmUpCount = 0
  /// Of AdamW.
  public var weightDecay = 1e-6
  /// Gradients are scaled down to this norm; 0 for no limit.
  public var gradientNormLimit = 0.0
  /// How much of the moving average each update keeps.
  public var averageDecay = 0.995
  /// Batches between updates of the average.
  public var averageInterval = 10
  /// Batches before the average starts; until then it follows the weights.
  public var averageStart = 1000
  /// The weight of a Gaussian policy's entropy.
  public var entropyCoefficient = 0.0

  /// The DPPO reference's numbers for Gym, in batches instead of epochs.
  public init() {}

  /// Checks ranges.
  ///
  /// - Throws: `SettingError` naming the setting.
  public func validate() throws(SettingError) {
    try SettingError.require(
      (1...1_000_000).contains(batchSize), "batchSize", batchSize, "1 to 1000000")
    try SettingError.require(batchCount > 0, "batchCount", batchCount, "a number above 0")
    let rates = [("learningRate", learningRate), ("finalLearningRate", finalLearningRate)]
    for (key, rate) in rates {
      try SettingError.require(
        rate >= 0 && rate.isFinite, key, rate, "a number from 0")
    }
    try SettingError.require(
      (0..<batchCount).contains(warmUpCount), "warmUpCount", warmUpCount,
      "0 to below batchCount, which is \(batchCount)")
    try SettingError.require(weightDecay >= 0, "weightDecay", weightDecay, "a number from 0")
    try SettingError.require(
      gradientNormLimit >= 0 && gradientNormLimit.isFinite, "gradientNormLimit",
      gradientNormLimit, "a number from 0")
    try SettingError.require(
      (0...1).contains(averageDecay), "averageDecay", averageDecay, "0 to 1")
    try SettingError.require(
      averageInterval > 0, "averageInterval", averageInterval, "a number above 0")
    try SettingError.require(averageStart >= 0, "averageStart", averageStart, "a number from 0")
  }
}
