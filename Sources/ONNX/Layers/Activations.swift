import Tensors

extension ONNXGraph {
  /// Applies an activation to every element; those that operator set 17 lacks are put together.
  public mutating func apply(_ activation: Activation, to x: ONNXValue) -> ONNXValue {
    switch activation {
    case .identity: return x
    case .relu: return elementwise("Relu", x)
    case .mish: return multiply(x, by: elementwise("Tanh", elementwise("Softplus", x)))
    case .silu: return multiply(x, by: elementwise("Sigmoid", x))
    case .gelu:
      let error = elementwise("Erf", multiply(x, by: Float(0.5).squareRoot()))
      return multiply(multiply(x, by: 0.5), by: add(error, 1))
    case .geluTanh:
      let cube = multiply(multiply(x, by: x), by: x)
      let inner = multiply(
        add(x, multiply(cube, by: 0.044_715)), by: (2 / Float.pi).squareRoot())
      return multiply(multiply(x, by: 0.5), by: add(elementwise("Tanh", inner), 1))
    case .geluQuick:
      return multiply(x, by: elementwise("Sigmoid", multiply(x, by: 1.702)))
    case .tanh: return elementwise("Tanh", x)
    case .sigmoid: return elementwise("Sigmoid", x)
    case .softplus: return elementwise("Softplus", x)
    }
  }
}
