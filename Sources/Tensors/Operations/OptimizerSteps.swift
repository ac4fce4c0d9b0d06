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
  ///   - stepSize: learning rate / (1 - beta1^t).
  ///   - secondCorrection: sqrt(1 - beta2^t).
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

extension Tensor {
  /// Moves every element towards that of `other`: self += (other - self) weight. Not recorded.
  public mutating func interpolate(towards other: Tensor, weight: Float) {
    precondition(
      shape == other.shape, "cannot interpolate shape \(shape) towards \(other.shape)")
    withUnsafeMutableElements { mine in
      other.withUnsafeElements { other in
        Loops.overElements(mine.count) { range in
          let first = range.lowerBound
          attune_interpolate(
            range.count, other.baseAddress! + first, weight, mine.baseAddress! + first)
        }
      }
    }
  }

  /// The sum of squares of all elements.
  public func squaredNorm() -> Double {
    withUnsafeElements { elements in
      elements.isEmpty ? 0 : attune_dot(elements.count, elements.baseAddress, elements.baseAddress)
    }
  }
}
