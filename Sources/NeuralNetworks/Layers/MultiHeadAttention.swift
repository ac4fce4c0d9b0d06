import Tensors

/// Attention with several heads, with the weights of `torch.nn.MultiheadAttention` (batch first).
public final class MultiHeadAttention: Module {
  /// `[3 * size, size]`: the projections of queries, keys and values, one below the other.
  public let inProjectionWeight: Parameter
  /// `[3 * size]`
  public let inProjectionBias: Parameter
  /// The projection of the heads' joined results.
  public let outProjection: Linear
  private let size: Int
  private let headCount: Int

  /// A layer with PyTorch's default initialization.
  public init(size: Int, headCount: Int, random: inout some RandomSource) {
    precondition(
      headCount > 0 && size % headCount == 0, "\(headCount) heads do not divide width \(size)")
    self.size = size
    self.headCount = headCount
    // PyTorch draws the output projection first, and then overwrites all biases with zero.
    outProjection = Linear(inputSize: size, outputSize: size, random: &random)
    outProjection.bias?.value = .zeros([size])
    inProjectionWeight = Parameter(
      Initializers.glorotUniform([3 * size, size], random: &random))
    inProjectionBias = Parameter(.zeros([3 * size]))
  }

  /// Attention of `query` `[B, Lq, size]` to `context` `[B, Lk, size]`, or to itself.
  public func callAsFunction(
    _ query: Tensor, context: Tensor? = nil, isCausal: Bool = false
  ) -> Tensor {
    let weight = inProjectionWeight.tensor
    let bias = inProjectionBias.tensor
    func project(_ x: Tensor, _ part: Int) -> Tensor {
      let rows = (part * size)..<((part + 1) * size)
      return x.linear(weight: weight.slice(rows), bias: bias.slice(rows))
    }
    let context = context ?? query
    let attended = project(query, 0).attention(
      keys: project(context, 1), values: project(context, 2), headCount: headCount,
      isCausal: isCausal)
    return outProjection(attended)
  }

  /// PyTorch's names: `in_proj_weight`, `in_proj_bias`, `out_proj.*`.
  public func collect(into parameters: inout NamedParameters) {
    parameters.add("in_proj_weight", inProjectionWeight)
    parameters.add("in_proj_bias", inProjectionBias)
    parameters.add("out_proj", outProjection)
  }
}
