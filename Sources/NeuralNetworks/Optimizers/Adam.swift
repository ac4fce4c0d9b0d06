import Foundation
import Tensors

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
