import Files
import NeuralNetworks

/// A model of pictures that learns from paper dolls, step by step.
public protocol RewardTraining: AnyObject {
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

  /// What a later run needs to go on exactly from here.
  var state: TrainingState { get }

  /// Goes on from a saved state.
  ///
  /// - Throws: `ParameterError` if it belongs to another model.
  func restore(_ state: TrainingState) throws

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
