import Configuration
import NeuralNetworks

/// How a policy learns from demonstrations.
public struct PretrainingConfiguration: Settings {
  /// Chunks in a batch.
  @Setting(1...1_000_000) public var batchSize = 256
  /// Batches to train on.
  @Setting(.positive) public var batchCount = 20_000
  /// The first learning rate of AdamW.
  @Setting(.notNegative) public var learningRate = 1e-3
  /// The last one, along half a cosine.
  @Setting(.notNegative) public var finalLearningRate = 1e-4
  /// Batches in which the learning rate rises from 0.
  @Setting(.notNegative) public var warmUpCount = 0
  /// Of AdamW.
  @Setting(.notNegative) public var weightDecay = 1e-6
  /// Gradients are scaled down to this norm; 0 for no limit.
  @Setting(.notNegative) public var gradientNormLimit = 0.0
  /// How much of the moving average each update keeps.
  @Setting(.fraction) public var emaDecay = 0.995
  /// Batches between updates of the average.
  @Setting(.positive) public var emaInterval = 10
  /// Batches before the average starts; until then it follows the weights.
  @Setting(.notNegative) public var emaStart = 1000
  /// The weight of a Gaussian policy's entropy.
  @Setting(.finite) public var entropyCoefficient = 0.0

  /// The DPPO reference's numbers for Gym, in batches instead of epochs.
  public init() {}

  /// The warm-up ends before the training does.
  public func checkRelations() throws {
    try ConfigurationError.require(
      warmUpCount < batchCount, "warmUpCount", warmUpCount,
      "0 to below batchCount, which is \(batchCount)")
  }

  /// The same for the loop.
  var options: SupervisedTraining.Options {
    var options = SupervisedTraining.Options(
      schedule: .cosine(
        initial: learningRate, final: finalLearningRate, stepCount: batchCount))
    options.warmUpSteps = warmUpCount
    options.weightDecay = weightDecay
    options.maxGradientNorm = gradientNormLimit
    options.emaDecay = emaDecay
    options.emaInterval = emaInterval
    options.emaStart = emaStart
    return options
  }
}
