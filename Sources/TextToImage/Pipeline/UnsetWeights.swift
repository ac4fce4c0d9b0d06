import Tensors

/// Gives parameters memory without touching it, for networks whose weights are read from a file.
struct UnsetWeights: RandomSource {
  mutating func uniform(_ shape: [Int], in range: Range<Float>) -> Tensor {
    Tensor(shape: shape) { _ in }
  }

  mutating func normal(_ shape: [Int], mean: Float, standardDeviation: Float) -> Tensor {
    Tensor(shape: shape) { _ in }
  }
}
