import Tensors

/// PyTorch's default ways of drawing a layer's first weights.
public enum Initializers {
  /// Uniform within 1 / sqrt(fanIn): what `torch.nn.Linear` and the convolutions use for weight and
  /// bias (`kaiming_uniform_` with a = sqrt(5), He et al., arXiv:1502.01852).
  public static func fanInUniform(
    _ shape: [Int], fanIn: Int, random: inout some RandomSource
  ) -> Tensor {
    let bound = fanIn > 0 ? Float(1 / Double(fanIn).squareRoot()) : 0
    return random.uniform(shape, in: -bound..<max(bound, .leastNormalMagnitude))
  }

  /// Uniform within sqrt(6 / (fanIn + fanOut)) for a matrix `[out, in]` (Glorot and Bengio, 2010).
  public static func glorotUniform(_ shape: [Int], random: inout some RandomSource) -> Tensor {
    let bound = Float((6 / Double(shape[0] + shape[1])).squareRoot())
    return random.uniform(shape, in: -bound..<bound)
  }

  /// Normal with the given standard deviation.
  public static func normal(
    _ shape: [Int], standardDeviation: Float = 1, random: inout some RandomSource
  ) -> Tensor {
    random.normal(shape, mean: 0, standardDeviation: standardDeviation)
  }
}
