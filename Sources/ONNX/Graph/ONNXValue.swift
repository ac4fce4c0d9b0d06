/// A named value of a graph: an input, a constant, or what an operation gives.
public struct ONNXValue: Hashable, Sendable {
  /// What the elements are.
  public enum Element: String, Hashable, Sendable {
    /// 32 bits.
    case float = "float32"
    /// 64 bits.
    case int = "int64"
    /// True or false.
    case bool
  }

  /// Its name in the graph.
  public let name: String
  /// Its sizes; nil is the batch's, which is known when the graph runs.
  public let shape: [Int?]
  /// What its elements are.
  public let element: Element

  init(name: String, shape: [Int?], element: Element = .float) {
    self.name = name
    self.shape = shape
    self.element = element
  }

  /// The number of dimensions.
  public var rank: Int { shape.count }

  /// The size of a dimension that is not the batch; negative ones count from the end.
  public func size(_ dimension: Int) -> Int {
    let index = dimension < 0 ? rank + dimension : dimension
    precondition(shape.indices.contains(index), "no dimension \(dimension) in \(shapeText)")
    guard let size = shape[index] else {
      preconditionFailure("dimension \(dimension) of \(shapeText) is the batch")
    }
    return size
  }

  /// As in "[B, 4, 3]".
  public var shapeText: String {
    "[" + shape.map { $0.map(String.init) ?? "B" }.joined(separator: ", ") + "]"
  }
}
