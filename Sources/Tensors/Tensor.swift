/// A dense row-major array of 32-bit floats with value semantics.
///
/// Copies share their memory until one of them is written to. Operations give new tensors; those on
/// tensors that track gradients are recorded (see `valueAndGradients`).
public struct Tensor: Sendable {
  /// The size of each dimension, outermost first; empty for a scalar.
  public let shape: [Int]
  var storage: TensorStorage
  /// Where this tensor starts in its storage: a slice of the first dimension shares memory.
  let offset: Int
  /// This tensor's place in a recorded graph, or nil.
  let node: GradientNode?

  init(shape: [Int], storage: TensorStorage, offset: Int = 0, node: GradientNode? = nil) {
    self.shape = shape
    self.storage = storage
    self.offset = offset
    self.node = node
  }

  /// Makes a tensor whose elements `initialize` writes, all of them.
  public init(
    shape: [Int], initializingWith initialize: (UnsafeMutableBufferPointer<Float>) -> Void
  ) {
    let count = Shapes.elementCount(shape)
    let storage = TensorStorage(count: count)
    initialize(UnsafeMutableBufferPointer(start: storage.elements, count: count))
    self.init(shape: shape, storage: storage)
  }

  /// Makes a tensor of the given shape from its elements in row-major order.
  public init(shape: [Int], elements: some Collection<Float>) {
    precondition(
      elements.count == Shapes.elementCount(shape),
      "a tensor of shape \(shape) needs \(Shapes.elementCount(shape)) elements, not \(elements.count)"
    )
    self.init(shape: shape) { buffer in _ = buffer.update(fromContentsOf: elements) }
  }

  /// Makes a one-dimensional tensor.
  public init(_ elements: [Float]) {
    self.init(shape: [elements.count], elements: elements)
  }

  /// Makes a tensor with every element equal to `value`.
  public init(repeating value: Float, shape: [Int]) {
    self.init(shape: shape) { $0.update(repeating: value) }
  }

  /// Makes a scalar: a tensor of shape `[]`.
  public init(_ value: Float) {
    self.init(repeating: value, shape: [])
  }

  /// A tensor of zeros.
  public static func zeros(_ shape: [Int]) -> Tensor { Tensor(repeating: 0, shape: shape) }

  /// A tensor of ones.
  public static func ones(_ shape: [Int]) -> Tensor { Tensor(repeating: 1, shape: shape) }

  /// The number of dimensions.
  public var rank: Int { shape.count }

  /// The number of elements.
  public var count: Int { Shapes.elementCount(shape) }

  /// The elements in row-major order, copied.
  public var elements: [Float] { withUnsafeElements { Array($0) } }

  /// The only element of a tensor that has just one.
  public var scalar: Float {
    precondition(count == 1, "a tensor of shape \(shape) is not a scalar")
    return withUnsafeElements { $0[0] }
  }

  /// Calls `body` with the elements in row-major order.
  public func withUnsafeElements<Result>(
    _ body: (UnsafeBufferPointer<Float>) throws -> Result
  ) rethrows -> Result {
    defer { withExtendedLifetime(storage) {} }
    return try body(UnsafeBufferPointer(start: pointer, count: count))
  }

  /// Calls `body` with the elements for writing, after copying them if they are shared.
  public mutating func withUnsafeMutableElements<Result>(
    _ body: (UnsafeMutableBufferPointer<Float>) throws -> Result
  ) rethrows -> Result {
    let isWhole = offset == 0 && storage.count == count
    if node != nil || !isWhole || !isKnownUniquelyReferenced(&storage) {
      self = Tensor(shape: shape) { buffer in
        withUnsafeElements { _ = buffer.update(fromContentsOf: $0) }
      }
    }
    storage.packedForms.removeAll()
    defer { withExtendedLifetime(storage) {} }
    return try body(UnsafeMutableBufferPointer(start: storage.elements, count: count))
  }

  /// The first element. Valid while the storage lives: callers keep `self` alive.
  var pointer: UnsafeMutablePointer<Float> { storage.elements + offset }

  /// The same elements outside any recorded graph.
  public func detached() -> Tensor {
    Tensor(shape: shape, storage: storage, offset: offset)
  }

  /// The size of a dimension; negative indices count from the last one.
  public func size(_ dimension: Int) -> Int { shape[Shapes.index(dimension, rank: rank)] }
}

extension Tensor: CustomStringConvertible {
  /// The shape and the first few elements.
  public var description: String {
    let shown = withUnsafeElements { $0.prefix(8).map { "\($0)" } }.joined(separator: ", ")
    return "Tensor\(shape) [\(shown)\(count > 8 ? ", ..." : "")]"
  }
}

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
