import Files
import NeuralNetworks

/// A model of pictures that learns from paper dolls, step by step.
public protocol RewardTraining: Trainer {
  /// The number of steps taken.
  var stepIndex: Int { get }
  /// The number of weights.
  var parameterCount: Int { get }

  /// Learns from the next batch.
  ///
  /// - Throws: `NonFiniteGradient`, before it reaches a weight.
  func step() throws -> RewardTrainingReport

  /// Measures on pictures that training never shows, by the averaged weights.
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
  /// The share of the batch that the model had right.
  public let accuracy: Double
  /// The rate of the step.
  public let learningRate: Double
  /// The gradients' norm before it was limited.
  public let gradientNorm: Double
}

extension RewardTraining {
  /// Finished iterations.
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
