import Files
import Tensors

/// A model of pictures that learns from paper dolls, step by step.
public protocol RewardTraining: AnyObject {
  /// The number of steps taken.
  var stepIndex: Int { get }
  /// The number of weights.
  var parameterCount: Int { get }

  /// Learns from the next batch.
  ///
  /// - Throws: `NonFiniteTraining` if a gradient is not finite; nothing has changed then.
  func step() throws -> RewardTrainingReport

  /// Measures on pictures that training never shows, by the averaged weights.
  func validationMetrics() throws -> [String: Double]

  /// What a later run needs to go on exactly from here.
  var state: RewardTrainingState { get }

  /// Goes on from a saved state.
  ///
  /// - Throws: `ParameterError` if it belongs to another model.
  func restore(_ state: RewardTrainingState) throws

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

/// What a training needs to go on.
public struct RewardTrainingState: Sendable {
  /// Weights, moments and averages by name.
  public var tensors: [String: Tensor]
  /// Counters by name.
  public var numbers: [String: Int]

  /// A state to restore.
  public init(tensors: [String: Tensor], numbers: [String: Int]) {
    self.tensors = tensors
    self.numbers = numbers
  }
}

/// A loss or gradient that is infinite or not a number.
public struct NonFiniteTraining: Error, CustomStringConvertible {
  /// The step that was not taken, counted from one.
  public let step: Int

  /// What happened, and what to do.
  public var description: String {
    "step \(step): the gradients are not finite; go on from the last checkpoint with a lower "
      + "learning rate"
  }
}

/// A setting of a training that is out of its range.
public struct RewardSettingError: Error, Equatable, CustomStringConvertible {
  /// The setting's name.
  public let key: String
  /// Its value.
  public let found: String
  /// What it should be.
  public let expected: String

  /// One line.
  public var description: String { "\(key) is \(found), expected \(expected)" }

  static func require(
    _ isSound: Bool, _ key: String, _ found: some CustomStringConvertible, _ expected: String
  ) throws(RewardSettingError) {
    guard isSound else {
      throw RewardSettingError(key: key, found: found.description, expected: expected)
    }
  }
}
