/// Arithmetic on shapes, with the errors that a mismatch deserves.
enum Shapes {
  static func elementCount(_ shape: [Int]) -> Int {
    var count = 1
    for size in shape {
      precondition(size >= 0, "a shape cannot have a negative size: \(shape)")
      count *= size
    }
    return count
  }

  /// Resolves a dimension that may be counted from the end.
  static func index(_ dimension: Int, rank: Int) -> Int {
    let index = dimension < 0 ? dimension + rank : dimension
    precondition(
      (0..<max(rank, 1)).contains(index), "a tensor of rank \(rank) has no dimension \(dimension)")
    return index
  }

  /// Row-major strides in elements.
  static func strides(_ shape: [Int]) -> [Int] {
    var strides = [Int](repeating: 1, count: shape.count)
    for index in stride(from: shape.count - 2, through: 0, by: -1) {
      strides[index] = strides[index + 1] * shape[index + 1]
    }
    return strides
  }

  /// The shape that both shapes broadcast to, by NumPy's rules.
  static func broadcast(_ a: [Int], _ b: [Int], operation: String) -> [Int] {
    if a == b || b.isEmpty { return a }
    if a.isEmpty { return b }
    let rank = max(a.count, b.count)
    var result = [Int](repeating: 1, count: rank)
    for index in 0..<rank {
      let sizeA = index < rank - a.count ? 1 : a[index - (rank - a.count)]
      let sizeB = index < rank - b.count ? 1 : b[index - (rank - b.count)]
      precondition(
        sizeA == sizeB || sizeA == 1 || sizeB == 1,
        "\(operation): shapes \(a) and \(b) do not broadcast")
      result[index] = sizeA == 1 ? sizeB : sizeA
    }
    return result
  }
}
