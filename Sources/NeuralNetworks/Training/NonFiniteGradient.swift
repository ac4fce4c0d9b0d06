import Tensors

/// A loss, gradient or weight that is infinite or not a number; no weight has been changed by it.
public struct NonFiniteGradient: Error, Equatable, CustomStringConvertible {
  /// The loss, the weight, or the parameter whose gradient it is.
  public let name: String
  /// Elements that are not finite.
  public let badCount: Int
  /// All elements.
  public let count: Int
  /// Whether it is a weight, which was so before this step: no learning rate mends it.
  public var isWeight = false

  /// What was found.
  public var description: String {
    "'\(name)' has \(badCount) of \(count) elements that are not finite: "
      + (isWeight ? "start from weights that are finite" : "try a lower learning rate")
  }

  /// Blames a weight that is infinite or not a number, if there is one.
  ///
  /// - Throws: `NonFiniteGradient`, naming the first.
  public static func checkWeights(_ parameters: NamedParameters) throws(NonFiniteGradient) {
    for (name, parameter) in parameters {
      let elements = parameter.value.elements
      let badCount = elements.count { !$0.isFinite }
      if badCount > 0 {
        throw NonFiniteGradient(
          name: name, badCount: badCount, count: elements.count, isWeight: true)
      }
    }
  }

  /// Checks a loss and the norm of its gradient, before the gradient reaches a weight.
  ///
  /// - Throws: `NonFiniteGradient`, naming the first tensor at fault.
  public static func check(
    loss: Double, _ lossName: String, norm: Double, _ gradients: Gradients,
    of parameters: NamedParameters
  ) throws(NonFiniteGradient) {
    guard !(loss.isFinite && norm.isFinite) else { return }
    try checkWeights(parameters)
    guard loss.isFinite else { throw NonFiniteGradient(name: lossName, badCount: 1, count: 1) }
    for (name, parameter) in parameters {
      let elements = gradients[parameter.leaf]?.elements ?? []
      let badCount = elements.count { !$0.isFinite }
      if badCount > 0 {
        throw NonFiniteGradient(
          name: "gradient of \(name)", badCount: badCount, count: elements.count)
      }
    }
    // Every element is finite, but the sum of their squares is not.
    throw NonFiniteGradient(name: "norm of the gradient", badCount: 1, count: 1)
  }
}

extension Optimizer {
  /// Takes a step whose gradients are scaled down to a norm, if they and the loss are finite.
  ///
  /// - Parameters:
  ///   - gradients: of the loss with respect to the parameters.
  ///   - parameters: what the norm is taken over.
  ///   - normLimit: the maximum norm; 0 for no limit.
  ///   - loss: what the gradients are of.
  ///   - lossName: what an error calls it.
  /// - Returns: the norm before scaling.
  /// - Throws: `NonFiniteGradient`; no step has been taken then.
  @discardableResult
  public func step(
    _ gradients: Gradients, of parameters: NamedParameters, normLimit: Double, loss: Double,
    _ lossName: String = "loss"
  ) throws(NonFiniteGradient) -> Double {
    let (scale, norm) = gradients.clippingScale(
      maximumNorm: normLimit > 0 ? normLimit : .infinity, parameters: parameters)
    try NonFiniteGradient.check(loss: loss, lossName, norm: norm, gradients, of: parameters)
    step(gradients, gradientScale: scale)
    return norm
  }
}

extension Gradients {
  /// The Euclidean norm of all gradients of the given parameters, taken as one vector.
  public func globalNorm(of parameters: NamedParameters) -> Double {
    parameters.reduce(0.0) { $0 + (self[$1.parameter.leaf]?.squaredNorm() ?? 0) }.squareRoot()
  }

  /// The factor that brings the global norm down to `maximumNorm`, as
  /// `torch.nn.utils.clip_grad_norm_`.
  public func clippingScale(
    maximumNorm: Double, parameters: NamedParameters
  ) -> (scale: Float, norm: Double) {
    let norm = globalNorm(of: parameters)
    return (Float(min(1, maximumNorm / (norm + 1e-6))), norm)
  }
}
