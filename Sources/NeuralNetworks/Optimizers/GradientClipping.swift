import Tensors

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
