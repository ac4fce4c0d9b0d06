import Tensors

/// Dynamic thresholding of estimates of x_0 (Saharia et al., arXiv:2205.11487, section 2.3): each
/// sample is clamped to +- a quantile of its magnitudes and divided by it, where that is above 1.
///
/// Meant for models of pixels in -1 ... 1; latents have no such range.
public struct DynamicThresholding: Sendable, Equatable {
  /// The fraction of a sample's elements below the threshold; `dynamic_thresholding_ratio` in
  /// diffusers.
  public var ratio: Double
  /// The greatest threshold; `sample_max_value` in diffusers, whose 1 makes it a plain clamp.
  public var maximum: Float

  /// The defaults are those of diffusers.
  public init(ratio: Double = 0.995, maximum: Float = 1) {
    precondition((0...1).contains(ratio), "a thresholding ratio of \(ratio) is not in 0 ... 1")
    precondition(maximum >= 1, "a thresholding maximum of \(maximum) is below 1")
    self.ratio = ratio
    self.maximum = maximum
  }

  /// Estimates `[B, ...]`, limited; differentiable, the threshold included.
  func callAsFunction(_ estimate: Tensor) -> Tensor {
    let rows = estimate.shape[0]
    let ones = [Int](repeating: 1, count: estimate.rank - 1)
    let threshold = quantiles(of: estimate.absolute().flattened(from: 1))
      .clamped(to: 1, maximum).reshaped(to: [rows] + ones)
    return Tensor.maximum(Tensor.minimum(estimate, threshold), -threshold) / threshold
  }

  /// The quantile of each row `[B, N]`, between its neighbours as `torch.quantile`: `[B]`.
  private func quantiles(of magnitudes: Tensor) -> Tensor {
    let (rows, width) = (magnitudes.shape[0], magnitudes.shape[1])
    let position = ratio * Double(width - 1)
    let low = Int(position)
    let weight = Float(position - Double(low))
    let elements = magnitudes.elements
    let orders = (0..<rows).map { row in
      (0..<width).sorted { elements[row * width + $0] < elements[row * width + $1] }
    }
    let below = magnitudes.gatherAlongLast(orders.map { $0[low] })
    let above = magnitudes.gatherAlongLast(orders.map { $0[min(low + 1, width - 1)] })
    return below + (above - below) * weight
  }
}

extension Tensor {
  /// Limited dynamically if there is a rule for that, else clamped to +- `limit` if there is one.
  func limited(to limit: Float?, or thresholding: DynamicThresholding?) -> Tensor {
    guard let thresholding else { return limited(to: limit) }
    return thresholding(self)
  }
}
