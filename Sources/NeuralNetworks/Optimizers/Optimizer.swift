import Foundation
import Tensors

/// Something that changes parameters by their gradients.
public protocol Optimizer: AnyObject {
  /// The learning rate of the next step, for a schedule to set.
  var learningRate: Float { get set }

  /// Changes every trainable parameter that has a gradient.
  ///
  /// - Parameters:
  ///   - gradients: of a loss with respect to the parameters.
  ///   - gradientScale: multiplies the gradients, as clipping by the global norm asks.
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

/// Stochastic gradient descent, with the arithmetic of `torch.optim.SGD`.
public final class SGD: Optimizer {
  /// The learning rate of the next step.
  public var learningRate: Float
  private let momentum: Float
  private let dampening: Float
  private let isNesterov: Bool
  private let penalty: Float
  private let parameters: NamedParameters
  private var velocities: Moments?
  private var stepCount = 0

  /// An optimizer of the given parameters.
  ///
  /// - Parameters:
  ///   - parameters: those of a network.
  ///   - learningRate: multiplies each step.
  ///   - momentum: how much of the velocity a step keeps.
  ///   - dampening: how much less than the whole gradient the velocity takes up.
  ///   - isNesterov: steps by the gradient and the velocity to come.
  ///   - weightDecay: times the parameter, is added to the gradient.
  public init(
    _ parameters: NamedParameters, learningRate: Float, momentum: Float = 0,
    dampening: Float = 0, isNesterov: Bool = false, weightDecay: Float = 0
  ) {
    precondition(
      !isNesterov || (momentum > 0 && dampening == 0),
      "Nesterov's method needs momentum and no dampening")
    self.parameters = parameters
    self.learningRate = learningRate
    self.momentum = momentum
    self.dampening = dampening
    self.isNesterov = isNesterov
    penalty = weightDecay
    velocities = momentum != 0 ? Moments("momentum_buffer", of: parameters) : nil
  }

  /// Changes every trainable parameter that has a gradient.
  public func step(_ gradients: Gradients, gradientScale: Float = 1) {
    let update = SGDUpdate(
      gradientScale: gradientScale, learningRate: learningRate, momentum: momentum,
      dampening: dampening, isNesterov: isNesterov, penalty: penalty, isFirst: stepCount == 0)
    for (index, (_, parameter)) in parameters.enumerated() where parameter.isTrainable {
      guard let gradient = gradients[parameter.leaf] else { continue }
      if velocities == nil {
        update.apply(to: &parameter.value, gradient: gradient, velocity: nil)
      } else {
        velocities?.withUnsafeElements(at: index) {
          update.apply(to: &parameter.value, gradient: gradient, velocity: $0)
        }
      }
    }
    stepCount += 1
  }

  /// The step count and moments.
  public var state: OptimizerState {
    OptimizerState(stepCount: stepCount, moments: velocities?.byName ?? [:])
  }

  /// Goes on from a saved state.
  ///
  /// - Throws: `ParameterError` if the state belongs to other parameters.
  public func restore(_ state: OptimizerState) throws {
    try velocities?.restore(state)
    stepCount = state.stepCount
  }
}

/// Adam (Kingma and Ba, arXiv:1412.6980) and AdamW (Loshchilov and Hutter, arXiv:1711.05101), with
/// the arithmetic of `torch.optim.Adam` and `torch.optim.AdamW`.
public final class Adam: Optimizer {
  /// How weight decay acts.
  public enum WeightDecay: Sendable {
    /// Shrinks the parameter itself (AdamW).
    case decoupled(Float)
    /// Is added to the gradient (Adam with an L2 penalty).
    case penalty(Float)
  }

  /// The learning rate of the next step.
  public var learningRate: Float
  private let beta1: Float
  private let beta2: Float
  private let epsilon: Float
  private let weightDecay: WeightDecay
  private let parameters: NamedParameters
  private var firstMoments: Moments
  private var secondMoments: Moments
  private var stepCount = 0

  /// An optimizer of the given parameters with PyTorch's defaults.
  public init(
    _ parameters: NamedParameters, learningRate: Float = 1e-3, beta1: Float = 0.9,
    beta2: Float = 0.999, epsilon: Float = 1e-8, weightDecay: WeightDecay = .penalty(0)
  ) {
    self.parameters = parameters
    self.learningRate = learningRate
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.weightDecay = weightDecay
    firstMoments = Moments("exp_avg", of: parameters)
    secondMoments = Moments("exp_avg_sq", of: parameters)
  }

  /// AdamW: Adam with decoupled weight decay, 0.01 as in PyTorch unless given.
  public static func withDecoupledDecay(
    _ parameters: NamedParameters, learningRate: Float = 1e-3, beta1: Float = 0.9,
    beta2: Float = 0.999, epsilon: Float = 1e-8, weightDecay: Float = 0.01
  ) -> Adam {
    Adam(
      parameters, learningRate: learningRate, beta1: beta1, beta2: beta2, epsilon: epsilon,
      weightDecay: .decoupled(weightDecay))
  }

  /// Changes every trainable parameter that has a gradient.
  public func step(_ gradients: Gradients, gradientScale: Float = 1) {
    stepCount += 1
    let (decay, penalty): (Float, Float) =
      switch weightDecay {
      case .decoupled(let amount): (1 - learningRate * amount, 0)
      case .penalty(let amount): (1, amount)
      }
    let update = AdamUpdate(
      gradientScale: gradientScale,
      stepSize: Float(Double(learningRate) / (1 - pow(Double(beta1), Double(stepCount)))),
      beta1: beta1, beta2: beta2,
      secondCorrection: Float((1 - pow(Double(beta2), Double(stepCount))).squareRoot()),
      epsilon: epsilon, decay: decay, penalty: penalty)
    for (index, (_, parameter)) in parameters.enumerated() where parameter.isTrainable {
      guard let gradient = gradients[parameter.leaf] else { continue }
      firstMoments.withUnsafeElements(at: index) { first in
        secondMoments.withUnsafeElements(at: index) { second in
          update.apply(
            to: &parameter.value, gradient: gradient, firstMoment: first, secondMoment: second)
        }
      }
    }
  }

  /// The step count and moments.
  public var state: OptimizerState {
    OptimizerState(
      stepCount: stepCount,
      moments: firstMoments.byName.merging(secondMoments.byName) { first, _ in first })
  }

  /// Goes on from a saved state.
  ///
  /// - Throws: `ParameterError` if the state belongs to other parameters.
  public func restore(_ state: OptimizerState) throws {
    try firstMoments.restore(state)
    try secondMoments.restore(state)
    stepCount = state.stepCount
  }
}
