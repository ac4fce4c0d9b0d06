/// Arithmetic on numbers that come from a file: nil where Swift's operators would trap.
enum Checked {
  static func product(_ factors: some Sequence<Int>) -> Int? {
    var product = 1
    for factor in factors {
      guard factor >= 0 else { return nil }
      let (value, overflow) = product.multipliedReportingOverflow(by: factor)
      if overflow { return nil }
      product = value
    }
    return product
  }

  static func sum(_ terms: Int...) -> Int? {
    var sum = 0
    for term in terms {
      let (value, overflow) = sum.addingReportingOverflow(term)
      if overflow { return nil }
      sum = value
    }
    return sum
  }

  /// The elements of a tensor; nil for a negative size or an overflow.
  ///
  /// The sizes of an empty tensor other than zero must have a product too, so that whoever computes
  /// strides from them cannot overflow.
  static func elementCount(_ shape: [Int]) -> Int? {
    guard shape.allSatisfy({ $0 >= 0 }), let count = product(shape.map { max($0, 1) }) else {
      return nil
    }
    return shape.contains(0) ? 0 : count
  }

  /// The bytes of a tensor; nil for a negative size or an overflow.
  static func byteCount(shape: [Int], of elementType: ElementType) -> Int? {
    elementCount(shape).flatMap { product([$0, elementType.byteCount]) }
  }
}
