/// A view of stored elements with a step for each dimension: a transposed or sliced tensor, or one
/// in Fortran order.
struct StridedTensor: Sendable {
  let elementType: ElementType
  let shape: [Int]
  /// In elements, not negative.
  let strides: [Int]

  /// The number of elements from the first to the last one, both included; nil if there is no such
  /// number.
  let span: Int?
  /// The number of elements; nil if there is no such number.
  let count: Int?

  init(_ elementType: ElementType, shape: [Int], strides: [Int]) {
    precondition(shape.count == strides.count)
    self.elementType = elementType
    self.shape = shape
    self.strides = strides
    count = Checked.byteCount(shape: shape, of: elementType).map { $0 / elementType.byteCount }
    span = count == 0 ? 0 : StridedTensor.span(shape: shape, strides: strides)
  }

  /// Strides of an array whose first dimension runs fastest; `shape` must have a countable size.
  static func fortranStrides(_ shape: [Int]) -> [Int] {
    var strides: [Int] = []
    var step = 1
    for size in shape {
      strides.append(step)
      step *= max(size, 1)
    }
    return strides
  }

  private static func span(shape: [Int], strides: [Int]) -> Int? {
    var last = 0
    for (size, stride) in zip(shape, strides) {
      guard size > 0, stride >= 0, let step = Checked.product([size - 1, stride]),
        let sum = Checked.sum(last, step)
      else { return nil }
      last = sum
    }
    return Checked.sum(last, 1)
  }

  private var isContiguous: Bool {
    var expected = 1
    for (size, stride) in zip(shape, strides).reversed() where size != 1 {
      if stride != expected { return false }
      expected *= size
    }
    return true
  }

  /// The elements in row-major order: a view where they already lie so, otherwise a copy.
  ///
  /// - Parameter bytes: at least `span` elements, the first of them this tensor's first.
  func stored(in bytes: Bytes) -> StoredTensor {
    guard let count, let span else { preconditionFailure("sizes are checked before elements") }
    let size = elementType.byteCount
    if count == 0 || isContiguous {
      return StoredTensor(elementType, shape: shape, bytes: bytes[0..<(count * size)])
    }
    precondition(span * size <= bytes.count)
    return StoredTensor(elementType, shape: shape, count: count) { target in
      bytes.withUnsafeBytes { source in
        switch size {
        case 1: gather(source, into: target, as: UInt8.self)
        case 2: gather(source, into: target, as: UInt16.self)
        case 4: gather(source, into: target, as: UInt32.self)
        default: gather(source, into: target, as: UInt64.self)
        }
      }
    }
  }

  private func gather<Element: FixedWidthInteger>(
    _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer,
    as type: Element.Type
  ) {
    let elements = target.bindMemory(to: Element.self)
    let size = MemoryLayout<Element>.size
    let columnCount = shape.last ?? 1
    let columnStride = (strides.last ?? 1) * size
    var position = [Int](repeating: 0, count: max(shape.count - 1, 0))
    var rowStart = 0
    for row in stride(from: 0, to: elements.count, by: columnCount) {
      for column in 0..<columnCount {
        elements[row &+ column] = source.loadUnaligned(
          fromByteOffset: rowStart &+ column &* columnStride, as: type)
      }
      // Advances the outer dimensions like an odometer.
      for dimension in position.indices.reversed() {
        position[dimension] += 1
        rowStart += strides[dimension] * size
        if position[dimension] < shape[dimension] { break }
        rowStart -= shape[dimension] * strides[dimension] * size
        position[dimension] = 0
      }
    }
  }
}
