import CKernels

/// The numbers of one Adam step, the same for all parameters.
public struct AdamUpdate: Sendable {
  private let gradientScale: Float
  private let stepSize: Float
  private let beta1: Float
  private let beta2: Float
  private let secondCorrection: Float
  private let epsilon: Float
  private let decay: Float
  private let penalty: Float

  /// - Parameters:
  ///   - gradientScale: multiplies the gradient.
  ///   - stepSize: learning rate / (1 - beta1^t).
  ///   - beta1: how much of the first moment a step keeps.
  ///   - beta2: how much of the second moment a step keeps.
  ///   - secondCorrection: sqrt(1 - beta2^t).
  ///   - epsilon: added to the root of the second moment.
  ///   - decay: multiplies the parameter before the step.
  ///   - penalty: times the parameter, is added to the gradient.
  public init(
    gradientScale: Float, stepSize: Float, beta1: Float, beta2: Float, secondCorrection: Float,
    epsilon: Float, decay: Float, penalty: Float
  ) {
    self.gradientScale = gradientScale
    self.stepSize = stepSize
    self.beta1 = beta1
    self.beta2 = beta2
    self.secondCorrection = secondCorrection
    self.epsilon = epsilon
    self.decay = decay
    self.penalty = penalty
  }

  /// Changes a parameter and its moments in place.
  public func apply(
    to parameter: inout Tensor, gradient: Tensor, firstMoment: UnsafeMutablePointer<Float>,
    secondMoment: UnsafeMutablePointer<Float>
  ) {
    precondition(
      gradient.shape == parameter.shape,
      "a gradient of shape \(gradient.shape) for a parameter of \(parameter.shape)")
    gradient.withUnsafeElements { gradient in
      parameter.withUnsafeMutableElements { parameter in
        Loops.overElements(parameter.count) { range in
          let first = range.lowerBound
          attune_adam(
            range.count, parameter.baseAddress! + first, gradient.baseAddress! + first,
            firstMoment + first, secondMoment + first, gradientScale, stepSize, beta1, beta2,
            secondCorrection, epsilon, decay, penalty)
        }
      }
    }
  }
}

/// The numbers of one step of gradient descent, the same for all parameters.
public struct SGDUpdate: Sendable {
  private let gradientScale: Float
  private let learningRate: Float
  private let momentum: Float
  private let dampening: Float
  private let isNesterov: Bool
  private let penalty: Float
  private let isFirst: Bool

  /// - Parameters:
  ///   - gradientScale: multiplies the gradient.
  ///   - learningRate: multiplies the step.
  ///   - momentum: how much of the velocity a step keeps.
  ///   - dampening: how much less than the whole gradient the velocity takes up.
  ///   - isNesterov: steps by the gradient and the velocity to come.
  ///   - penalty: times the parameter, is added to the gradient.
  ///   - isFirst: whether velocities hold nothing yet.
  public init(
    gradientScale: Float, learningRate: Float, momentum: Float, dampening: Float,
    isNesterov: Bool, penalty: Float, isFirst: Bool
  ) {
    self.gradientScale = gradientScale
    self.learningRate = learningRate
    self.momentum = momentum
    self.dampening = dampening
    self.isNesterov = isNesterov
    self.penalty = penalty
    self.isFirst = isFirst
  }

  /// Changes a parameter and its velocity in place.
  public func apply(
    to parameter: inout Tensor, gradient: Tensor, velocity: UnsafeMutablePointer<Float>?
  ) {
    precondition(
      gradient.shape == parameter.shape,
      "a gradient of shape \(gradient.shape) for a parameter of \(parameter.shape)")
    gradient.withUnsafeElements { gradient in
      parameter.withUnsafeMutableElements { parameter in
        Loops.overElements(parameter.count) { range in
          let first = range.lowerBound
          attune_sgd(
            range.count, parameter.baseAddress! + first, gradient.baseAddress! + first,
            velocity.map { $0 + first }, gradientScale, learningRate, momentum, dampening,
            isNesterov, penalty, isFirst)
        }
      }
    }
  }
}
