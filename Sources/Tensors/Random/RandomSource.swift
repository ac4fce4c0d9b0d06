/// Something that draws tensors of random numbers.
public protocol RandomSource {
  /// Uniform draws in `range`, the upper bound excluded.
  mutating func uniform(_ shape: [Int], in range: Range<Float>) -> Tensor
  /// Draws from a normal distribution.
  mutating func normal(_ shape: [Int], mean: Float, standardDeviation: Float) -> Tensor
}

extension RandomStream: RandomSource {}

extension TorchRandom: RandomSource {
  /// As `torch.empty(shape).uniform_(lower, upper)`, but never the upper bound, to which PyTorch's
  /// draws may round.
  public mutating func uniform(_ shape: [Int], in range: Range<Float>) -> Tensor {
    uniform(shape).spread(over: range)
  }

  /// As `torch.empty(shape).normal_(mean, standardDeviation)`.
  public mutating func normal(
    _ shape: [Int], mean: Float, standardDeviation: Float
  ) -> Tensor {
    normal(shape).scaled(by: standardDeviation, plus: mean)
  }
}
