import NeuralNetworks
import Tensors

/// A computation in ONNX's operators, put together one operation after another by code that reads
/// like the network's own.
///
/// An operation that is there already is not added again: what is the same at all steps of a chain is
/// computed once. Weights are kept once, under their names in checkpoints.
public struct ONNXGraph: Sendable {
  /// What the graph is given, in the order in which inputs were added.
  public private(set) var inputs: [ONNXPort] = []
  /// What the graph gives, in the order in which outputs were added.
  public private(set) var outputs: [ONNXPort] = []
  /// Weights and other numbers.
  public private(set) var constants: [ONNXConstant] = []
  /// The operations, each after those whose results it reads.
  public internal(set) var nodes: [ONNXNode] = []

  private var results: [ONNXNode.Definition: ONNXValue] = [:]
  private var numbers: [Numbers: ONNXValue] = [:]
  private var weights: [WeightPart: ONNXValue] = [:]
  private var weightNames: [ObjectIdentifier: String] = [:]
  private var scope = ""
  private var resultCount = 0

  /// An empty graph.
  public init() {}

  /// Adds an input.
  ///
  /// - Parameters:
  ///   - name: not that of another input.
  ///   - shape: nil is the batch's size.
  ///   - element: what it consists of.
  ///   - description: a line about it.
  public mutating func input(
    _ name: String, shape: [Int?], element: ONNXValue.Element = .float, description: String
  ) -> ONNXValue {
    precondition(!inputs.contains { $0.value.name == name }, "two inputs are called '\(name)'")
    let value = ONNXValue(name: name, shape: shape, element: element)
    inputs.append(ONNXPort(value: value, description: description))
    return value
  }

  /// Makes a value an output.
  ///
  /// - Parameters:
  ///   - value: what is given.
  ///   - name: that of the output.
  ///   - description: a line about it.
  public mutating func output(_ value: ONNXValue, _ name: String, description: String) {
    let named = ONNXValue(name: name, shape: value.shape, element: value.element)
    nodes.append(
      ONNXNode(
        definition: .init(operation: "Identity", inputs: [value.name], attributes: [:]),
        output: name))
    outputs.append(ONNXPort(value: named, description: description))
  }

  /// Adds operations whose names begin with that of a part of the graph.
  public mutating func scoped<Result>(
    _ name: String, _ body: (inout ONNXGraph) throws -> Result
  ) rethrows -> Result {
    let outer = scope
    scope += name + "/"
    defer { scope = outer }
    return try body(&self)
  }

  /// Adds an operation, unless there is the same already.
  ///
  /// - Parameters:
  ///   - operation: as in ONNX's list of operators.
  ///   - inputs: what it reads.
  ///   - attributes: by name.
  ///   - shape: of what it gives.
  ///   - element: of what it gives; as in the first input unless told otherwise.
  /// - Returns: what it gives.
  public mutating func node(
    _ operation: String, _ inputs: [ONNXValue], _ attributes: [String: ONNXNode.Attribute] = [:],
    shape: [Int?], element: ONNXValue.Element? = nil
  ) -> ONNXValue {
    let definition = ONNXNode.Definition(
      operation: operation, inputs: inputs.map(\.name), attributes: attributes)
    if let known = results[definition] { return known }
    resultCount += 1
    let value = ONNXValue(
      name: "\(scope)\(operation)_\(resultCount)", shape: shape,
      element: element ?? inputs.first?.element ?? .float)
    nodes.append(ONNXNode(definition: definition, output: value.name))
    results[definition] = value
    return value
  }

  /// Computes one of two values, of one shape, and leaves the other alone.
  ///
  /// - Parameters:
  ///   - test: a single truth value.
  ///   - first: the value if it is true.
  ///   - second: the value if it is false.
  public mutating func choose(
    _ test: ONNXValue, first: (inout ONNXGraph) throws -> ONNXValue,
    else second: (inout ONNXGraph) throws -> ONNXValue
  ) rethrows -> ONNXValue {
    let (first, second) = (try branch(first), try branch(second))
    precondition(
      first.output.shape == second.output.shape && first.output.element == second.output.element,
      "branches of \(first.output.shapeText) and \(second.output.shapeText)")
    return node(
      "If", [test], ["then_branch": .branch(first), "else_branch": .branch(second)],
      shape: first.output.shape, element: first.output.element)
  }

  /// Operations that are computed only if they are chosen: what is known in there is not known
  /// outside. Numbers belong to the whole graph.
  private mutating func branch(
    _ body: (inout ONNXGraph) throws -> ONNXValue
  ) rethrows -> ONNXBranch {
    let (outerNodes, outerResults) = (nodes, results)
    defer { (nodes, results) = (outerNodes, outerResults) }
    nodes = []
    let value = try body(&self)
    // A branch gives what it computed itself, which an input or a value from outside is not.
    resultCount += 1
    let output = ONNXValue(
      name: "\(scope)Identity_\(resultCount)", shape: value.shape, element: value.element)
    nodes.append(
      ONNXNode(
        definition: .init(operation: "Identity", inputs: [value.name], attributes: [:]),
        output: output.name))
    return ONNXBranch(nodes: nodes, output: output)
  }
}

// MARK: - Numbers

extension ONNXGraph {
  private struct Numbers: Hashable {
    let shape: [Int]
    // Their bits: 0 is not -0, and what is not a number is equal to itself.
    let bits: [UInt32]
    let ints: [Int]
  }

  private struct WeightPart: Hashable {
    let parameter: ObjectIdentifier
    let columns: Range<Int>?
    let shape: [Int]
  }

  /// Numbers, kept once however often they are needed.
  public mutating func constant(_ elements: [Float], shape: [Int]) -> ONNXValue {
    constant(.floats(elements), shape: shape, element: .float)
  }

  /// A number, which broadcasts.
  public mutating func constant(_ number: Float) -> ONNXValue { constant([number], shape: []) }

  /// A tensor as it is now.
  public mutating func constant(_ tensor: Tensor) -> ONNXValue {
    constant(tensor.elements, shape: tensor.shape)
  }

  /// Whole numbers: sizes, places, indices.
  public mutating func constant(ints numbers: [Int], shape: [Int]? = nil) -> ONNXValue {
    constant(.ints(numbers), shape: shape ?? [numbers.count], element: .int)
  }

  private mutating func constant(
    _ elements: ONNXConstant.Elements, shape: [Int], element: ONNXValue.Element
  ) -> ONNXValue {
    let key: Numbers
    switch elements {
    case .floats(let floats):
      precondition(floats.count == shape.reduce(1, *), "\(floats.count) numbers as \(shape)")
      key = Numbers(shape: shape, bits: floats.map(\.bitPattern), ints: [])
    case .ints(let ints):
      precondition(ints.count == shape.reduce(1, *), "\(ints.count) numbers as \(shape)")
      key = Numbers(shape: shape, bits: [], ints: ints)
    }
    if let known = numbers[key] { return known }
    let value = ONNXValue(
      name: "constant_\(numbers.count)", shape: shape.map { $0 }, element: element)
    constants.append(ONNXConstant(name: value.name, shape: shape, elements: elements))
    numbers[key] = value
    return value
  }

  /// Gives the weights of a network their names: those of its checkpoints, after a prefix.
  public mutating func name(_ parameters: NamedParameters, under prefix: String) {
    for (name, parameter) in parameters {
      weightNames[ObjectIdentifier(parameter)] = "\(prefix).\(name)"
    }
  }

  /// A weight, whose name is known by `name(_:under:)`, kept once however often it is needed.
  ///
  /// - Parameters:
  ///   - parameter: the weight.
  ///   - columns: the part of its second dimension that is meant, if not all of it.
  ///   - shape: another one for the same numbers.
  public mutating func weight(
    _ parameter: Parameter, columns: Range<Int>? = nil, shape: [Int]? = nil
  ) -> ONNXValue {
    guard var name = weightNames[ObjectIdentifier(parameter)] else {
      preconditionFailure("a weight of shape \(parameter.value.shape) has no name in the graph")
    }
    var tensor = parameter.value
    // All of them are the weight itself.
    let columns = columns.flatMap { $0 == 0..<tensor.shape[1] ? nil : $0 }
    if let columns {
      tensor = tensor.slice(columns, along: 1)
      name += ".columns_\(columns.lowerBound)_\(columns.upperBound)"
    }
    let shape = shape ?? tensor.shape
    let key = WeightPart(parameter: ObjectIdentifier(parameter), columns: columns, shape: shape)
    if let known = weights[key] { return known }
    precondition(
      !constants.contains { $0.name == name }, "the weight '\(name)' is needed in two shapes")
    let value = ONNXValue(name: name, shape: shape.map { $0 })
    constants.append(ONNXConstant(name: name, shape: shape, elements: .floats(tensor.elements)))
    weights[key] = value
    return value
  }
}
