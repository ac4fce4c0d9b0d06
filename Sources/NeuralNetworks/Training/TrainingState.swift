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

  /// Adds tensors under `prefix.`.
  public mutating func add(_ tensors: [String: Tensor], under prefix: String) {
    self.tensors.merge(tensors.prefixed(prefix)) { $1 }
  }

  /// Adds an optimizer's moments under `prefix.`, and its step count.
  public mutating func add(_ state: OptimizerState, under prefix: String) {
    add(state.moments, under: prefix)
    numbers["\(prefix).stepCount"] = state.stepCount
  }

  /// Adds all of another training's state under `prefix.`, for a run with several.
  public mutating func add(_ state: TrainingState, under prefix: String) {
    add(state.tensors, under: prefix)
    numbers.merge(state.numbers.prefixed(prefix)) { $1 }
    texts.merge(state.texts.prefixed(prefix)) { $1 }
  }

  /// The state that was added under a prefix.
  public func state(under prefix: String) -> TrainingState {
    TrainingState(
      tensors: tensors.under(prefix), numbers: numbers.under(prefix), texts: texts.under(prefix))
  }

  /// The tensors that were added under a prefix.
  public func tensors(under prefix: String) -> [String: Tensor] { tensors.under(prefix) }

  /// The optimizer's state that was added under a prefix.
  ///
  /// - Throws: `ParameterError` if its step count is missing.
  public func optimizer(under prefix: String) throws -> OptimizerState {
    OptimizerState(
      stepCount: try number("\(prefix).stepCount"), moments: tensors.under(prefix))
  }

  /// The counter of that name.
  ///
  /// - Throws: `ParameterError` if it is missing.
  public func number(_ name: String) throws -> Int {
    guard let number = numbers[name] else {
      throw ParameterError.missing(name: name, nearest: nil)
    }
    return number
  }

  /// The text of that name.
  ///
  /// - Throws: `ParameterError` if it is missing.
  public func text(_ name: String) throws -> String {
    guard let text = texts[name] else { throw ParameterError.missing(name: name, nearest: nil) }
    return text
  }
}

extension Dictionary where Key == String {
  /// The same values under `prefix.`.
  public func prefixed(_ prefix: String) -> [String: Value] {
    Dictionary(uniqueKeysWithValues: map { ("\(prefix).\($0.key)", $0.value) })
  }

  /// The values under `prefix.`, without it.
  public func under(_ prefix: String) -> [String: Value] {
    var result: [String: Value] = [:]
    for (name, value) in self where name.hasPrefix("\(prefix).") {
      result[String(name.dropFirst(prefix.count + 1))] = value
    }
    return result
  }
}
