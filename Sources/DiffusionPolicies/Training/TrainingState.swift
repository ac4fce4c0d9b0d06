import NeuralNetworks
import Tensors

/// What a training needs to go on exactly, as tensors, numbers and texts by name.
public struct TrainingState: Sendable {
  /// Weights, averages and moments.
  public var tensors: [String: Tensor] = [:]
  /// Counters.
  public var numbers: [String: Int] = [:]
  /// Encoded parts, such as the states of environments.
  public var texts: [String: String] = [:]

  /// Nothing yet.
  public init() {}

  /// Takes what a file held.
  public init(tensors: [String: Tensor], numbers: [String: Int], texts: [String: String]) {
    self.tensors = tensors
    self.numbers = numbers
    self.texts = texts
  }

  mutating func add(_ tensors: [String: Tensor], under prefix: String) {
    self.tensors.merge(tensors.prefixed(prefix)) { $1 }
  }

  mutating func add(_ state: OptimizerState, under prefix: String) {
    add(state.moments, under: prefix)
    numbers["\(prefix).stepCount"] = state.stepCount
  }

  func tensors(under prefix: String) -> [String: Tensor] { tensors.under(prefix) }

  func optimizer(under prefix: String) throws -> OptimizerState {
    OptimizerState(
      stepCount: try number("\(prefix).stepCount"), moments: tensors.under(prefix))
  }

  func number(_ name: String) throws -> Int {
    guard let number = numbers[name] else {
      throw ParameterError.missing(name: name, nearest: nil)
    }
    return number
  }

  func text(_ name: String) throws -> String {
    guard let text = texts[name] else { throw ParameterError.missing(name: name, nearest: nil) }
    return text
  }
}
