import Tensors

/// Gives parameters memory without touching it, for networks whose weights are read from a file.
package struct UnsetWeights: RandomSource {
  package init() {}

  package mutating func uniform(_ shape: [Int], in range: Range<Float>) -> Tensor {
    Tensor(shape: shape) { _ in }
  }

  package mutating func normal(_ shape: [Int], mean: Float, standardDeviation: Float) -> Tensor {
    Tensor(shape: shape) { _ in }
  }
}
