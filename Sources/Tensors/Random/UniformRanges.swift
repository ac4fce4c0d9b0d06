extension Tensor {
  /// Draws from 0..<1 taken to another range. Not recorded.
  ///
  /// The sum can round up to the upper bound, which does not belong to the range: the number below
  /// it stands for those.
  func spread(over range: Range<Float>) -> Tensor {
    scaled(by: range.upperBound - range.lowerBound, plus: range.lowerBound)
      .clamped(to: range.lowerBound, max(range.lowerBound, range.upperBound.nextDown))
  }
}
