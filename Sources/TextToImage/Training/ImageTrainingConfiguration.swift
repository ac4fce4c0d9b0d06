import NeuralNetworks

/// How a text-to-image model is trained.
public struct ImageTrainingConfiguration: Codable, Sendable, Hashable {
  /// How the learning rate goes on after its warm-up.
  public enum RateShape: String, Codable, Sendable, CaseIterable {
    /// Always `learningRate`.
    case constant
    /// Half a cosine down to `finalLearningRate`.
    case cosine
  }

  /// Pictures in a batch.
  public var batchSize = 32
  /// Batches to train on.
  public var batchCount = 20_000
  /// Whether the text encoder learns too, or the U-Net alone.
  public var trainsTextEncoder = true
  /// The probability that a picture's prompt is replaced by the empty one, which guidance needs.
  public var promptDropout = 0.1
  /// gamma of min-SNR weighting (Hang et al., arXiv:2303.09556); 0 for equal weights.
  public var minimumSNRGamma = 0.0
  /// The highest learning rate of AdamW.
  public var learningRate = 6e-4
  /// The last one, where the shape is a cosine.
  public var finalLearningRate = 1e-5
  /// How it goes from one to the other.
  public var rateShape = RateShape.cosine
  /// Batches in which the learning rate rises from 0.
  public var warmUpCount = 500
  /// Of AdamW.
  public var weightDecay = 0.01
  /// Gradients are scaled down to this norm; 0 for no limit.
  public var gradientNormLimit = 1.0
  /// How much of the moving average each batch keeps, once it has warmed up.
  public var averageDecay = 0.999

  /// Numbers for a small model on pixels.
  public init() {}

  /// Checks ranges.
  ///
  /// - Throws: `SettingError` naming the setting.
  public func validate() throws(SettingError) {
    try SettingError.require(
      (1...65_536).contains(batchSize), "batchSize", batchSize, "1 to 65536")
    try SettingError.require(batchCount > 0, "batchCount", batchCount, "a number above 0")
    for (key, number) in [("promptDropout", promptDropout), ("averageDecay", averageDecay)] {
      try SettingError.require((0...1).contains(number), key, number, "0 to 1")
    }
    let numbers = [
      ("minimumSNRGamma", minimumSNRGamma), ("learningRate", learningRate),
      ("finalLearningRate", finalLearningRate), ("weightDecay", weightDecay),
      ("gradientNormLimit", gradientNormLimit),
    ]
    for (key, number) in numbers {
      try SettingError.require(number >= 0 && number.isFinite, key, number, "a number from 0")
    }
    try SettingError.require(warmUpCount >= 0, "warmUpCount", warmUpCount, "a number from 0")
  }

  /// The rate that batch `index` is applied with.
  func learningRate(at index: Int) -> Double {
    let schedule: LearningRateSchedule =
      switch rateShape {
      case .constant: .constant(learningRate)
      case .cosine:
        .cosine(initial: learningRate, final: finalLearningRate, stepCount: batchCount)
      }
    let rate = schedule.rate(atStep: index)
    return index < warmUpCount ? rate * Double(index + 1) / Double(warmUpCount) : rate
  }
}
