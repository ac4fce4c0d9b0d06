import Tensors

/// Something that changes parameters by their gradients.
public protocol Optimizer: AnyObject {
  /// The learning rate of the next step, for a schedule to set.
  var learningRate: Float { get set }

  /// Changes every trainable parameter that has a gradient.
  ///
  /// - Parameter gradientScale: multiplies the gradients, as clipping by the global norm asks.
  func step(_ gradients: Gradients, gradientScale: Float)

  /// What a later run needs to go on exactly from here, by name.
  var state: OptimizerState { get }

  /// Goes on from a saved state.
  ///
  /// - Throws: `ParameterError` if the state belongs to other parameters.
  func restore(_ state: OptimizerState) throws
}

/// An optimizer's memory of earlier steps.
public struct OptimizerState: Sendable {
  /// Steps taken so far.
  public var stepCount: Int
  /// Moments by `<moment>.<parameter name>`.
  public var moments: [String: Tensor]

  /// A state to restore.
  public init(stepCount: Int, moments: [String: Tensor]) {
    self.stepCount = stepCount
    self.moments = moments
  }
}

/// One moment of every parameter, zero at first.
struct Moments {
  let name: String
  private var values: [Tensor]
  private let names: [String]

  init(_ name: String, of parameters: NamedParameters) {
    self.name = name
    names = parameters.map(\.name)
    values = parameters.map { .zeros($0.parameter.value.shape) }
  }

  mutating func withUnsafeElements(
    at index: Int, _ body: (UnsafeMutablePointer<Float>) -> Void
  ) {
    values[index].withUnsafeMutableElements { elements in
      if let first = elements.baseAddress { body(first) }
    }
  }

  var byName: [String: Tensor] {
    Dictionary(uniqueKeysWithValues: zip(names.map { "\(name).\($0)" }, values))
  }

  mutating func restore(_ state: OptimizerState) throws {
    values = try zip(names, values).map { parameter, value in
      let key = "\(name).\(parameter)"
      guard let saved = state.moments[key] else {
        throw ParameterError.missing(name: key, nearest: nil)
      }
      guard saved.shape == value.shape else {
        throw ParameterError.shape(name: key, found: saved.shape, expected: value.shape)
      }
      return saved
    }
  }
}
