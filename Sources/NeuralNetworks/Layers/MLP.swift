import Tensors

/// A multi-layer MLP with the structure and weight names of the DPPO reference:
/// `moduleList.<i>.linear_1`, and `norm_1` where layers are normalized.
public final class MLP: Module {
  package final class Block: Module {
    package let linear: Linear
    package let norm: LayerNorm?

    init(linear: Linear, norm: LayerNorm?) {
      self.linear = linear
      self.norm = norm
    }

    func callAsFunction(_ x: Tensor, activation: Activation) -> Tensor {
      guard norm != nil else { return linear(x, activation: activation) }
      return continuing(from: linear(x), activation: activation)
    }

    func continuing(from sum: Tensor, activation: Activation) -> Tensor {
      (norm.map { $0(sum) } ?? sum).applying(activation)
    }

    package func collect(into parameters: inout NamedParameters) {
      parameters.add("linear_1", linear)
      parameters.add("norm_1", norm)
    }
  }

  package let blocks: [Block]
  package let activation: Activation
  package let outputActivation: Activation

  /// - Parameters:
  ///   - sizes: input, hidden layers, output.
  ///   - activation: between layers.
  ///   - outputActivation: after the last layer.
  ///   - usesLayerNorm: normalizes each hidden layer before its activation.
  ///   - usesFinalLayerNorm: normalizes the last layer too.
  ///   - random: draws the first weights.
  public init(
    sizes: [Int], activation: Activation, outputActivation: Activation = .identity,
    usesLayerNorm: Bool = false, usesFinalLayerNorm: Bool = false,
    random: inout some RandomSource
  ) {
    precondition(sizes.count >= 2, "an MLP needs an input and an output size, not \(sizes)")
    var blocks: [Block] = []
    for (index, (input, output)) in zip(sizes, sizes.dropFirst()).enumerated() {
      let isLast = index == sizes.count - 2
      blocks.append(
        Block(
          linear: Linear(inputSize: input, outputSize: output, random: &random),
          norm: (isLast ? usesFinalLayerNorm : usesLayerNorm) ? LayerNorm(size: output) : nil))
    }
    self.blocks = blocks
    self.activation = activation
    self.outputActivation = outputActivation
  }

  /// `[..., sizes.first]` to `[..., sizes.last]`.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    let hidden = blocks.dropLast().reduce(x) { $1($0, activation: activation) }
    return blocks[blocks.count - 1](hidden, activation: outputActivation)
  }

  /// The first layer, for callers that compute its sum in parts.
  public var firstLinear: Linear { blocks[0].linear }

  /// The rest of the network, from the sum that `firstLinear` gives before norm and activation.
  public func continuing(fromFirstSum sum: Tensor) -> Tensor {
    guard blocks.count > 1 else {
      return blocks[0].continuing(from: sum, activation: outputActivation)
    }
    let entered = blocks[0].continuing(from: sum, activation: activation)
    let hidden = blocks.dropFirst().dropLast().reduce(entered) { $1($0, activation: activation) }
    return blocks[blocks.count - 1](hidden, activation: outputActivation)
  }

  /// `moduleList.<i>.*`
  public func collect(into parameters: inout NamedParameters) {
    parameters.add("moduleList", blocks)
  }
}

/// An MLP of residual blocks with the structure and weight names of the DPPO reference:
/// `layers.0` leads into the hidden width, `layers.<i>.l1/l2` are blocks, the last layer leads out.
public final class ResidualMLP: Module {
  /// x + l2(act(norm2(l1(act(norm1(x))))))
  package final class Block: Module {
    package let first: Linear
    package let second: Linear
    package let firstNorm: LayerNorm?
    package let secondNorm: LayerNorm?

    init(size: Int, usesLayerNorm: Bool, random: inout some RandomSource) {
      first = Linear(inputSize: size, outputSize: size, random: &random)
      second = Linear(inputSize: size, outputSize: size, random: &random)
      firstNorm = usesLayerNorm ? LayerNorm(size: size, epsilon: 1e-6) : nil
      secondNorm = usesLayerNorm ? LayerNorm(size: size, epsilon: 1e-6) : nil
    }

    func callAsFunction(_ x: Tensor, activation: Activation) -> Tensor {
      let entered = (firstNorm.map { $0(x) } ?? x).applying(activation)  // [B, D]
      guard let secondNorm else {
        return second(first(entered, activation: activation), adding: x)
      }
      return second(secondNorm(first(entered)).applying(activation), adding: x)
    }

    package func collect(into parameters: inout NamedParameters) {
      parameters.add("l1", first)
      parameters.add("l2", second)
      parameters.add("norm1", firstNorm)
      parameters.add("norm2", secondNorm)
    }
  }

  package let input: Linear
  package let blocks: [Block]
  package let output: Linear
  package let outputNorm: LayerNorm?
  package let activation: Activation
  package let outputActivation: Activation

  /// - Parameters:
  ///   - sizes: input, hidden layers of one width and of odd number, output: two hidden layers make
  ///     a block, and the input layer makes the first.
  ///   - activation: between layers.
  ///   - outputActivation: after the last layer.
  ///   - usesLayerNorm: normalizes before each of a block's activations.
  ///   - usesFinalLayerNorm: normalizes the output before its activation.
  ///   - random: draws the first weights.
  public init(
    sizes: [Int], activation: Activation, outputActivation: Activation = .identity,
    usesLayerNorm: Bool = false, usesFinalLayerNorm: Bool = false,
    random: inout some RandomSource
  ) {
    precondition(
      sizes.count >= 3 && (sizes.count - 3) % 2 == 0
        && Set(sizes.dropFirst().dropLast()).count == 1,
      "a residual MLP needs an odd number of hidden layers of one width, not \(sizes)")
    let width = sizes[1]
    input = Linear(inputSize: sizes[0], outputSize: width, random: &random)
    var blocks: [Block] = []
    for _ in 0..<((sizes.count - 3) / 2) {
      blocks.append(Block(size: width, usesLayerNorm: usesLayerNorm, random: &random))
    }
    self.blocks = blocks
    output = Linear(inputSize: width, outputSize: sizes[sizes.count - 1], random: &random)
    outputNorm = usesFinalLayerNorm ? LayerNorm(size: sizes[sizes.count - 1]) : nil
    self.activation = activation
    self.outputActivation = outputActivation
  }

  /// `[..., sizes.first]` to `[..., sizes.last]`.
  public func callAsFunction(_ x: Tensor) -> Tensor { continuing(fromFirstSum: input(x)) }

  /// The first layer, for callers that compute its sum in parts.
  public var firstLinear: Linear { input }

  /// The rest of the network, from the sum that `firstLinear` gives.
  public func continuing(fromFirstSum sum: Tensor) -> Tensor {
    let hidden = blocks.reduce(sum) { $1($0, activation: activation) }
    guard let outputNorm else { return output(hidden, activation: outputActivation) }
    return outputNorm(output(hidden)).applying(outputActivation)
  }

  /// `layers.<i>.*`
  public func collect(into parameters: inout NamedParameters) {
    let norms = outputNorm.map { [$0] } ?? []
    parameters.add("layers", [input] + blocks + [output] + norms)
  }
}
