import Configuration
import NeuralNetworks

/// How a text-to-image model is trained.
public struct ImageTrainingConfiguration: Settings {
  /// How the learning rate goes on after its warm-up.
  public enum RateShape: String, Codable, Sendable, CaseIterable {
    /// Always `learningRate`.
    case constant
    /// Half a cosine down to `finalLearningRate`.
    case cosine
  }

  /// Images in a batch.
  @Setting(1...65_536) public var batchSize = 32
  /// Batches to train on.
  @Setting(.positive) public var batchCount = 20_000
  /// Whether the text encoder learns too, or the U-Net alone.
  public var trainsTextEncoder = true
  /// The probability that an image's prompt is replaced by the empty one, which guidance needs.
  @Setting(.fraction) public var promptDropout = 0.1
  /// gamma of min-SNR weighting (Hang et al., arXiv:2303.09556); 0 for equal weights.
  @Setting(.notNegative) public var minimumSNRGamma = 0.0
  /// The highest learning rate of AdamW.
  @Setting(.notNegative) public var learningRate = 6e-4
  /// The last one, where the shape is a cosine.
  @Setting(.notNegative) public var finalLearningRate = 1e-5
  /// How it goes from one to the other.
  public var rateShape = RateShape.cosine
  /// Batches in which the learning rate rises from 0.
  @Setting(.notNegative) public var warmUpCount = 500
  /// Of AdamW.
  @Setting(.notNegative) public var weightDecay = 0.01
  /// Gradients are scaled down to this norm; 0 for no limit.
  @Setting(.notNegative) public var gradientNormLimit = 1.0
  /// How much of the moving average each batch keeps, once it has warmed up.
  @Setting(.fraction) public var emaDecay = 0.999

  /// Numbers for a small model on pixels.
  public init() {}

  /// The same for the loop.
  var options: SupervisedTraining.Options {
    let schedule: LearningRateSchedule =
      switch rateShape {
      case .constant: .constant(learningRate)
      case .cosine:
        .cosine(initial: learningRate, final: finalLearningRate, stepCount: batchCount)
      }
    var options = SupervisedTraining.Options(schedule: schedule)
    options.warmUpSteps = warmUpCount
    options.weightDecay = weightDecay
    options.maxGradientNorm = gradientNormLimit
    options.emaDecay = emaDecay
    options.emaWarmsUp = true
    return options
  }
}
