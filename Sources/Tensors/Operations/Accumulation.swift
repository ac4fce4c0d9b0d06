extension Tensor {
  /// Adds another tensor of the same shape in place. Not recorded.
  public mutating func add(_ other: Tensor) {
    precondition(shape == other.shape, "cannot add shape \(other.shape) to \(shape) in place")
    withUnsafeMutableElements { mine in
      other.withUnsafeElements { for index in mine.indices { mine[index] += $0[index] } }
    }
  }
}
