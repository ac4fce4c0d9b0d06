/// Operators of ONNX's operator set 17, with their shapes.
extension ONNXGraph {
  /// a + b, broadcast.
  public mutating func add(_ a: ONNXValue, _ b: ONNXValue) -> ONNXValue { binary("Add", a, b) }

  /// a - b, broadcast.
  public mutating func subtract(_ a: ONNXValue, _ b: ONNXValue) -> ONNXValue {
    binary("Sub", a, b)
  }

  /// a b, broadcast.
  public mutating func multiply(_ a: ONNXValue, by b: ONNXValue) -> ONNXValue {
    binary("Mul", a, b)
  }

  /// a / b, broadcast.
  public mutating func divide(_ a: ONNXValue, by b: ONNXValue) -> ONNXValue {
    binary("Div", a, b)
  }

  /// a + b.
  public mutating func add(_ a: ONNXValue, _ b: Float) -> ONNXValue { add(a, constant(b)) }

  /// a - b.
  public mutating func subtract(_ a: ONNXValue, _ b: Float) -> ONNXValue {
    subtract(a, constant(b))
  }

  /// a b.
  public mutating func multiply(_ a: ONNXValue, by b: Float) -> ONNXValue {
    multiply(a, by: constant(b))
  }

  /// a / b.
  public mutating func divide(_ a: ONNXValue, by b: Float) -> ONNXValue {
    divide(a, by: constant(b))
  }

  /// Clamped to +- a limit.
  public mutating func clip(_ x: ONNXValue, to limit: Float) -> ONNXValue {
    node("Clip", [x, constant(-limit), constant(limit)], shape: x.shape)
  }

  /// An operator of one input that changes elements one by one: "Tanh", "Sin".
  public mutating func elementwise(_ operation: String, _ x: ONNXValue) -> ONNXValue {
    node(operation, [x], shape: x.shape)
  }

  /// The whole numbers as floats.
  public mutating func floats(_ x: ONNXValue) -> ONNXValue {
    // 1 is TensorProto's FLOAT.
    node("Cast", [x], ["to": .int(1)], shape: x.shape, element: .float)
  }

  /// Whether a <= b, broadcast.
  public mutating func isAtMost(_ a: ONNXValue, _ b: ONNXValue) -> ONNXValue {
    precondition(a.element == b.element, "LessOrEqual of \(a.element) and \(b.element)")
    return node("LessOrEqual", [a, b], shape: Self.broadcast(a, b), element: .bool)
  }

  /// Values one after another along a dimension.
  public mutating func concatenate(_ parts: [ONNXValue], along axis: Int) -> ONNXValue {
    precondition(!parts.isEmpty, "nothing to concatenate")
    var shape = parts[0].shape
    shape[axis] = parts.reduce(0) { $0 + $1.size(axis) }
    return node("Concat", parts, ["axis": .int(axis)], shape: shape)
  }

  /// A part of a dimension.
  public mutating func slice(_ x: ONNXValue, _ range: Range<Int>, along axis: Int) -> ONNXValue {
    precondition(
      (0...x.size(axis)).contains(range.upperBound) && range.lowerBound >= 0,
      "\(range) of dimension \(axis) of \(x.shapeText)")
    if range == 0..<x.size(axis) { return x }
    var shape = x.shape
    shape[axis] = range.count
    return node(
      "Slice",
      [
        x, constant(ints: [range.lowerBound]), constant(ints: [range.upperBound]),
        constant(ints: [axis]),
      ],
      shape: shape)
  }

  /// One place of a dimension, which goes away.
  public mutating func element(_ x: ONNXValue, _ index: Int, along axis: Int) -> ONNXValue {
    precondition((0..<x.size(axis)).contains(index), "\(index) of \(x.shapeText)")
    var shape = x.shape
    shape.remove(at: axis)
    return node(
      "Gather", [x, constant(ints: [index], shape: [])], ["axis": .int(axis)], shape: shape)
  }

  /// The same numbers in another shape, in which the batch stays where it is.
  public mutating func reshape(_ x: ONNXValue, to shape: [Int?]) -> ONNXValue {
    if x.shape == shape { return x }
    func isBatch(_ shape: [Int?]) -> [Int] { shape.indices.filter { shape[$0] == nil } }
    precondition(
      isBatch(x.shape) == isBatch(shape)
        && x.shape.reduce(1) { $0 * ($1 ?? 1) } == shape.reduce(1) { $0 * ($1 ?? 1) },
      "\(x.shapeText) as \(shape)")
    // 0 keeps the size that is there.
    return node("Reshape", [x, constant(ints: shape.map { $0 ?? 0 })], shape: shape)
  }

  /// `[B, ...]` to `[B, N]`.
  public mutating func flatten(_ x: ONNXValue) -> ONNXValue {
    let count = x.shape.dropFirst().reduce(1) { $0 * ($1 ?? 1) }
    return reshape(x, to: [x.shape[0], count])
  }

  /// Dimensions in another order.
  public mutating func transpose(_ x: ONNXValue, _ order: [Int]) -> ONNXValue {
    precondition(order.sorted() == Array(x.shape.indices), "\(order) of \(x.shapeText)")
    return node("Transpose", [x], ["perm": .ints(order)], shape: order.map { x.shape[$0] })
  }

  private mutating func binary(
    _ operation: String, _ a: ONNXValue, _ b: ONNXValue
  ) -> ONNXValue {
    precondition(a.element == b.element, "\(operation) of \(a.element) and \(b.element)")
    return node(operation, [a, b], shape: Self.broadcast(a, b))
  }

  /// NumPy's rule; the batch's size goes with itself and with 1.
  static func broadcast(_ a: ONNXValue, _ b: ONNXValue) -> [Int?] {
    let rank = max(a.rank, b.rank)
    func padded(_ value: ONNXValue) -> [Int?] {
      Array(repeating: 1, count: rank - value.rank) + value.shape
    }
    return zip(padded(a), padded(b)).map { x, y in
      precondition(x == y || x == 1 || y == 1, "\(a.shapeText) with \(b.shapeText)")
      return x == 1 ? y : x
    }
  }
}
