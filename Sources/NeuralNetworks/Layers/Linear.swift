import Tensors

/// y = activation(x weight^T + bias + residual), without a residual as `torch.nn.Linear`.
public final class Linear: Module {
  /// `[outputSize, inputSize]`
  public let weight: Parameter
  /// `[outputSize]`
  public let bias: Parameter?

  /// A layer with PyTorch's default initialization.
  public init(
    inputSize: Int, outputSize: Int, hasBias: Bool = true, random: inout some RandomSource
  ) {
    weight = Parameter(
      Initializers.fanInUniform([outputSize, inputSize], fanIn: inputSize, random: &random))
    bias =
      hasBias
      ? Parameter(Initializers.fanInUniform([outputSize], fanIn: inputSize, random: &random))
      : nil
  }

  /// `[..., inputSize]` to `[..., outputSize]`, the shape of `residual`.
  public func callAsFunction(
    _ x: Tensor, adding residual: Tensor? = nil, activation: Activation = .identity
  ) -> Tensor {
    x.linear(
      weight: weight.tensor, bias: bias?.tensor, adding: residual, activation: activation)
  }

  /// `weight` and `bias`.
  public func collect(into parameters: inout NamedParameters) {
    parameters.add("weight", weight)
    parameters.add("bias", bias)
  }
}
