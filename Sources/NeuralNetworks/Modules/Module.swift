import Tensors

/// A part of a network: parameters under the names that PyTorch would give them.
///
/// Modules are classes, so that a network can be shared by threads and changed by an optimizer.
/// Their layouts are PyTorch's; images and sequences are channels-last, which is the layers' own
/// affair.
public protocol Module: AnyObject, Sendable {
  /// Adds the module's parameters and its submodules' to `parameters`, in PyTorch's order.
  func collect(into parameters: inout NamedParameters)
}

extension Module {
  /// All parameters, named as in PyTorch's `state_dict()`.
  public var parameters: NamedParameters {
    var parameters = NamedParameters()
    collect(into: &parameters)
    return parameters
  }

  /// Excludes all parameters from training.
  public func freeze() {
    for (_, parameter) in parameters { parameter.isTrainable = false }
  }
}

/// Parameters with their names, in the order in which the network declares them.
public struct NamedParameters: Sequence, Sendable {
  private var entries: [(name: String, parameter: Parameter)] = []
  private var prefix = ""

  init() {}

  /// Adds one parameter.
  public mutating func add(_ name: String, _ parameter: Parameter) {
    entries.append((prefix + name, parameter))
  }

  /// Adds a parameter that some modules lack.
  public mutating func add(_ name: String, _ parameter: Parameter?) {
    if let parameter { add(name, parameter) }
  }

  /// Adds a submodule's parameters under its name.
  public mutating func add(_ name: String, _ module: (any Module)?) {
    guard let module else { return }
    let outer = prefix
    prefix += name + "."
    module.collect(into: &self)
    prefix = outer
  }

  /// Adds a list of submodules, which PyTorch numbers.
  public mutating func add(_ name: String, _ modules: [any Module]) {
    for (index, module) in modules.enumerated() { add("\(name).\(index)", module) }
  }

  /// Names and parameters in order.
  public func makeIterator() -> IndexingIterator<[(name: String, parameter: Parameter)]> {
    entries.makeIterator()
  }

  /// The number of parameters, not of their elements.
  public var count: Int { entries.count }

  /// The number of elements of all parameters.
  public var elementCount: Int { entries.reduce(0) { $0 + $1.parameter.value.count } }

  /// The parameter of the given name.
  public subscript(name: String) -> Parameter? { entries.first { $0.name == name }?.parameter }

  /// The current values by name, as PyTorch's `state_dict()`.
  public var values: [String: Tensor] {
    Dictionary(uniqueKeysWithValues: entries.map { ($0.name, $0.parameter.value) })
  }

  /// Replaces the values by those of a checkpoint.
  ///
  /// - Throws: `ParameterError` if a name is missing or unknown or a shape differs; nothing is
  ///   changed then.
  public func load(_ values: [String: Tensor]) throws {
    var unknown = Set(values.keys)
    for (name, parameter) in entries {
      guard let value = values[name] else {
        throw ParameterError.missing(name: name, nearest: Self.nearest(to: name, in: values.keys))
      }
      guard value.shape == parameter.value.shape else {
        throw ParameterError.shape(
          name: name, found: value.shape, expected: parameter.value.shape)
      }
      unknown.remove(name)
    }
    if let name = unknown.min() {
      throw ParameterError.unknown(name: name, count: unknown.count)
    }
    for (name, parameter) in entries { parameter.value = values[name]!.detached() }
  }

  /// A name with the same last component, to hint at a different prefix.
  private static func nearest(to name: String, in names: some Sequence<String>) -> String? {
    func components(_ name: String) -> [Substring] { name.split(separator: ".").reversed() }
    let wanted = components(name)
    func likeness(_ other: String) -> Int {
      zip(wanted, components(other)).prefix { $0 == $1 }.count
    }
    return names.sorted().max { likeness($0) < likeness($1) }.flatMap {
      likeness($0) > 0 ? $0 : nil
    }
  }
}

/// A checkpoint that does not fit a network.
public enum ParameterError: Error, CustomStringConvertible, Equatable {
  /// A parameter has no value.
  case missing(name: String, nearest: String?)
  /// A value has no parameter.
  case unknown(name: String, count: Int)
  /// A value has another shape than its parameter.
  case shape(name: String, found: [Int], expected: [Int])

  /// What does not fit, and what to do.
  public var description: String {
    switch self {
    case .missing(let name, let nearest):
      let hint = nearest.map { "; the nearest is '\($0)'" } ?? ""
      return """
        the checkpoint has no tensor '\(name)'\(hint): was it made with another network \
        configuration?
        """
    case .unknown(let name, let count):
      return """
        the checkpoint has \(count) tensor(s) that this network lacks, such as '\(name)': was it \
        made with another network configuration?
        """
    case .shape(let name, let found, let expected):
      return """
        tensor '\(name)' has shape \(found), but this network expects \(expected): check the sizes \
        in its configuration
        """
    }
  }
}

/// A tensor that training changes.
///
/// Unchecked sendable because of its rule of use: values are read by many threads during a step and
/// written only between steps, by the one thread that owns the training loop.
public final class Parameter: @unchecked Sendable {
  /// The current value.
  public var value: Tensor
  /// Whether gradients are taken of it; a frozen network's parameters are not trainable.
  public var isTrainable = true
  /// The identity under which `Gradients` knows it.
  public let leaf = GradientLeaf()

  /// A trainable parameter of the given value.
  public init(_ value: Tensor) { self.value = value }

  /// The value as operations should see it: tracked if gradients are being recorded.
  public var tensor: Tensor {
    isTrainable && Recording.isOn ? value.tracked(as: leaf) : value
  }
}

/// PyTorch's default ways of drawing a layer's first weights.
public enum Initializers {
  /// Uniform within 1 / sqrt(fanIn): what `torch.nn.Linear` and the convolutions use for weight and
  /// bias (`kaiming_uniform_` with a = sqrt(5), He et al., arXiv:1502.01852).
  public static func fanInUniform(
    _ shape: [Int], fanIn: Int, random: inout some RandomSource
  ) -> Tensor {
    let bound = fanIn > 0 ? Float(1 / Double(fanIn).squareRoot()) : 0
    return random.uniform(shape, in: -bound..<max(bound, .leastNormalMagnitude))
  }

  /// Uniform within sqrt(6 / (fanIn + fanOut)) for a matrix `[out, in]` (Glorot and Bengio, 2010).
  public static func glorotUniform(_ shape: [Int], random: inout some RandomSource) -> Tensor {
    let bound = Float((6 / Double(shape[0] + shape[1])).squareRoot())
    return random.uniform(shape, in: -bound..<bound)
  }

  /// Normal with the given standard deviation.
  public static func normal(
    _ shape: [Int], standardDeviation: Float = 1, random: inout some RandomSource
  ) -> Tensor {
    random.normal(shape, mean: 0, standardDeviation: standardDeviation)
  }
}
