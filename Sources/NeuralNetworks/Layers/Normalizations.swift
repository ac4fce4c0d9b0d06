import Tensors

/// Normalization over the last dimension, as `torch.nn.LayerNorm`.
public final class LayerNorm: Module {
  /// `[size]`
  public let weight: Parameter
  /// `[size]`
  public let bias: Parameter
  package let epsilon: Float

  /// Starts with scale 1 and shift 0.
  public init(size: Int, epsilon: Float = 1e-5) {
    weight = Parameter(.ones([size]))
    bias = Parameter(.zeros([size]))
    self.epsilon = epsilon
  }

  /// `[..., size]` to the same shape.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    x.layerNorm(weight: weight.tensor, bias: bias.tensor, epsilon: epsilon)
  }

  /// `weight` and `bias`.
  public func collect(into parameters: inout NamedParameters) {
    parameters.add("weight", weight)
    parameters.add("bias", bias)
  }
}

/// Normalization over groups of channels, as `torch.nn.GroupNorm`, with channels last.
public final class GroupNorm: Module {
  /// `[channelCount]`
  public let weight: Parameter
  /// `[channelCount]`
  public let bias: Parameter
  package let groupCount: Int
  package let epsilon: Float

  /// Starts with scale 1 and shift 0.
  public init(groupCount: Int, channelCount: Int, epsilon: Float = 1e-5) {
    weight = Parameter(.ones([channelCount]))
    bias = Parameter(.zeros([channelCount]))
    self.groupCount = groupCount
    self.epsilon = epsilon
  }

  /// `[B, ..., channelCount]` to the same shape; SiLU follows in the same pass if asked for.
  public func callAsFunction(_ x: Tensor, appliesSiLU: Bool = false) -> Tensor {
    x.groupNorm(
      groupCount: groupCount, weight: weight.tensor, bias: bias.tensor, epsilon: epsilon,
      appliesSiLU: appliesSiLU)
  }

  /// `weight` and `bias`.
  public func collect(into parameters: inout NamedParameters) {
    parameters.add("weight", weight)
    parameters.add("bias", bias)
  }
}
