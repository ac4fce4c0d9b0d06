import Tensors

/// A table of vectors looked up by index, as `torch.nn.Embedding`.
public final class Embedding: Module {
  /// `[count, size]`
  public let weight: Parameter

  /// A table drawn from N(0, 1).
  public init(count: Int, size: Int, random: inout some RandomSource) {
    weight = Parameter(Initializers.normal([count, size], random: &random))
  }

  /// `[indices.count, size]`
  public func callAsFunction(_ indices: [Int]) -> Tensor { weight.tensor.gather(indices) }

  /// `weight`
  public func collect(into parameters: inout NamedParameters) {
    parameters.add("weight", weight)
  }
}
