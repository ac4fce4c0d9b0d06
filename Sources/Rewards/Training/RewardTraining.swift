import Configuration
import Files
import NeuralNetworks

/// A model of images that learns step by step.
public protocol RewardTraining: Trainer {
  /// The number of steps taken.
  var stepIndex: Int { get }
  /// The number of weights.
  var parameterCount: Int { get }
  /// What is not done, or otherwise than one might think, one sentence each.
  var notes: [String] { get }

  /// Learns from the next batch.
  ///
  /// - Throws: `NonFiniteGradient`, before it reaches a weight.
  func step() throws -> RewardTrainingReport

  /// Measures on images that training never shows, by the averaged weights.
  func validationMetrics() throws -> [String: Double]

  /// Writes the model with its averaged weights.
  ///
  /// - Throws: `FileError` if the system refuses.
  func write(folder: String, elementType: ElementType) throws
}

/// What a step of training says.
public struct RewardTrainingReport: Sendable, Equatable {
  /// The loss of the batch before the step.
  public let loss: Double
  /// The fraction of the batch that the model had right.
  public let accuracy: Double
  /// The rate of the step.
  public let learningRate: Double
  /// The gradients' norm before it was limited.
  public let gradientNorm: Double

  init(_ report: SupervisedTraining.Report, accuracy: Double) {
    loss = report.loss
    self.accuracy = accuracy
    learningRate = report.learningRate
    gradientNorm = report.gradientNorm
  }
}

extension RewardTraining {
  /// Nothing.
  public var notes: [String] { [] }
  /// The number of steps taken.
  public var iteration: Int { stepIndex }

  /// Learns from the next batch.
  public func iterate() throws -> Metrics {
    let report = try step()
    var metrics = Metrics(["loss": .mean, "accuracy": .mean, "gradientNorm": .mean])
    metrics.add("loss", report.loss)
    metrics.add("accuracy", report.accuracy)
    metrics.add("gradientNorm", report.gradientNorm)
    metrics["learningRate"] = report.learningRate
    return metrics
  }
}

/// How weights are changed.
public struct OptimizationSettings: Settings {
  /// Images in a step.
  @Setting(2...65_536) public var batchSize = 128
  /// The number of steps.
  @Setting(1...1_000_000_000) public var stepCount = 10_000
  /// The highest learning rate, after the warm-up.
  @Setting(.positive) public var learningRate = 1e-3
  /// The learning rate at the end, reached along half a cosine.
  @Setting(.notNegative) public var finalLearningRate = 1e-5
  /// Steps in which the learning rate rises from the final one to the highest.
  @Setting(.notNegative) public var warmUpStepCount = 200
  /// AdamW's.
  @Setting(.properFraction) public var weightDecay = 0.01
  /// How much of the averaged weights a step keeps.
  @Setting(.properFraction) public var emaDecay = 0.998
  /// Gradients are scaled down to this norm; 0 for no limit.
  @Setting(.notNegative) public var gradientNormLimit = 1.0
  /// Rows of a batch that one worker takes at a time; decides the order of sums.
  @Setting(1...4_096) public var shardSize = 8

  /// The defaults.
  public init() {}

  /// The learning rate rises, then falls.
  public func checkRelations() throws {
    try ConfigurationError.require(
      finalLearningRate <= learningRate, "finalLearningRate", finalLearningRate,
      "0 to learningRate, which is \(learningRate)")
    try ConfigurationError.require(
      warmUpStepCount < stepCount, "warmUpStepCount", warmUpStepCount,
      "a number below stepCount, which is \(stepCount)")
  }

  /// The same for the loop.
  var options: SupervisedTraining.Options {
    var options = SupervisedTraining.Options(
      schedule: .warmRestarts(
        .init(
          maximum: learningRate, minimum: finalLearningRate, firstCycleStepCount: stepCount + 1,
          warmUpStepCount: warmUpStepCount)))
    options.beta2 = 0.98  // as CLIP's
    options.weightDecay = weightDecay
    options.maxGradientNorm = gradientNormLimit
    options.emaDecay = emaDecay
    options.emaWarmsUp = true
    return options
  }
}
