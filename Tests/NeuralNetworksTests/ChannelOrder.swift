import Tensors

extension Tensor {
  /// `[B, C, ...]` to `[B, ..., C]`.
  var channelsLast: Tensor {
    transposed([0] + Array(2..<rank) + [1])
  }

  /// `[B, ..., C]` to `[B, C, ...]`.
  var channelsFirst: Tensor {
    transposed([0, rank - 1] + Array(1..<(rank - 1)))
  }
}
