import Tensors

extension Tensor {
  /// Clamped to +- `limit` if there is one.
  func limited(to limit: Float?) -> Tensor {
    guard let limit else { return self }
    return clamped(to: -limit, limit)
  }

  /// y / sqrt(sigma^2 + 1): y scaled to the variance that the network was trained on.
  func scaledForNetwork(_ sigmas: [Float], at indices: Rowwise<Int>) -> Tensor {
    self / (indices.entries(of: sigmas, rank: rank).squared() + 1).squareRoot()
  }
}
