/// An operation of a graph with its inputs and attributes, and the name of what it gives.
public struct ONNXNode: Hashable, Sendable {
  /// What an attribute can be.
  public enum Attribute: Hashable, Sendable {
    /// A whole number.
    case int(Int)
    /// Several.
    case ints([Int])
    /// A number.
    case float(Float)
    /// What is computed if it is chosen.
    case branch(ONNXBranch)
  }

  /// What an operation is but for the name of its result.
  struct Definition: Hashable, Sendable {
    var operation: String
    var inputs: [String]
    var attributes: [String: Attribute]
  }

  let definition: Definition
  /// The name of the result, and of the node.
  public let output: String

  /// As in ONNX's list of operators: "Gemm".
  public var operation: String { definition.operation }
  /// The names of what it reads.
  public var inputs: [String] { definition.inputs }
  /// Its attributes by name.
  public var attributes: [String: Attribute] { definition.attributes }
}

/// Operations of which a graph computes only those of the branch that is chosen; they read what is
/// outside of it by name.
public struct ONNXBranch: Hashable, Sendable {
  /// In the order in which they are computed.
  public let nodes: [ONNXNode]
  /// What the branch gives.
  public let output: ONNXValue
}

/// Numbers that a graph holds.
public struct ONNXConstant: Hashable, Sendable {
  /// The numbers, row-major.
  public enum Elements: Hashable, Sendable {
    /// 32 bits each.
    case floats([Float])
    /// 64 bits each.
    case ints([Int])
  }

  /// A weight has the name that it has in checkpoints.
  public let name: String
  /// Its sizes.
  public let shape: [Int]
  /// What it holds.
  public let elements: Elements
}

/// A value that goes in or out of a graph, with a line about it.
public struct ONNXPort: Hashable, Sendable {
  /// Its name, shape and elements.
  public let value: ONNXValue
  /// What it is, in which units.
  public let description: String
}
