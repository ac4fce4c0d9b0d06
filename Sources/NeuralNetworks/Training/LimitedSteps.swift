import Tensors

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
