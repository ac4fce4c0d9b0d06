import CKernels

extension Tensor {
  /// Moves every element towards that of `other`: self += (other - self) weight. Not recorded.
  public mutating func interpolate(towards other: Tensor, weight: Float) {
    precondition(
      shape == other.shape, "cannot interpolate shape \(shape) towards \(other.shape)")
    withUnsafeMutableElements { mine in
      other.withUnsafeElements { other in
        Loops.overElements(mine.count) { range in
          let first = range.lowerBound
          attune_interpolate(
            range.count, other.baseAddress! + first, weight, mine.baseAddress! + first)
        }
      }
    }
  }
}
