import Tensors

/// A multi-layer MLP with the structure and weight names of the DPPO reference:
/// `moduleList.<i>.linear_1`, and `norm_1` where layers are normalized.
public final class MLP: Module {
  private final class Block: Module {
    let linear: Linear
    let norm: LayerNorm?

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

    func collect(into parameters: inout NamedParameters) {
      parameters.add("linear_1", linear)
      parameters.add("norm_1", norm)
    }
  }

  private let blocks: [Block]
  private let activation: Activation
  private let outputActivation: Activation

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
