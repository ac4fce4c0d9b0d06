import Tensors

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
  /// - Parameter weightDecay: times the parameter, is added to the gradient.
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
