import NeuralNetworks
import Tensors

/// Two layers over an embedded number or a vector; `TimestepEmbedding` in diffusers.
package final class VectorEmbedding: Module {
  private let first: Linear
  private let second: Linear
  private let activation: Activation
  private let finalActivation: Activation?
  private let conditionProjection: Linear?

  package init(
    inputSize: Int, size: Int, activation: Activation, finalActivation: Activation? = nil,
    conditionSize: Int? = nil, random: inout some RandomSource
  ) {
    first = Linear(inputSize: inputSize, outputSize: size, random: &random)
    second = Linear(inputSize: size, outputSize: size, random: &random)
    self.activation = activation
    self.finalActivation = finalActivation
    conditionProjection = conditionSize.map {
      Linear(inputSize: $0, outputSize: inputSize, hasBias: false, random: &random)
    }
  }

  /// `[B, inputSize]`, and a condition `[B, conditionSize]` if there is one, to `[B, size]`.
  package func callAsFunction(_ x: Tensor, condition: Tensor? = nil) -> Tensor {
    var x = x
    if let condition, let conditionProjection { x = x + conditionProjection(condition) }
    return second(first(x, activation: activation), activation: finalActivation ?? .identity)
  }

  package func collect(into parameters: inout NamedParameters) {
    parameters.add("cond_proj", conditionProjection)
    parameters.add("linear_1", first)
    parameters.add("linear_2", second)
  }
}

/// The classes of a batch, in the form that a network's class embedding takes.
public enum ClassCondition: Sendable {
  /// A number for each row: a class of a table, or what is embedded like a time step.
  case numbers([Float])
  /// `[B, size]`
  case vectors(Tensor)
}

/// The class embedding of a U-Net.
final class ClassEmbedder: Module {
  private let kind: UNetConfiguration.ClassEmbedding
  private let table: Embedding?
  private let layers: VectorEmbedding?
  private let layer: Linear?

  init(
    _ kind: UNetConfiguration.ClassEmbedding, configuration: UNetConfiguration,
    random: inout some RandomSource
  ) {
    self.kind = kind
    let size = configuration.timeSize
    switch kind {
    case .table(let count):
      (table, layers, layer) = (Embedding(count: count, size: size, random: &random), nil, nil)
    case .timestep:
      let layers = VectorEmbedding(
        inputSize: configuration.blockChannels[0], size: size,
        activation: configuration.activation, random: &random)
      (table, self.layers, layer) = (nil, layers, nil)
    case .projection(let inputSize):
      let layers = VectorEmbedding(
        inputSize: inputSize, size: size, activation: .silu, random: &random)
      (table, self.layers, layer) = (nil, layers, nil)
    case .simpleProjection(let inputSize):
      let layer = Linear(inputSize: inputSize, outputSize: size, random: &random)
      (table, layers, self.layer) = (nil, nil, layer)
    case .identity:
      (table, layers, layer) = (nil, nil, nil)
    }
  }

  /// `[B, size]`
  func callAsFunction(_ classes: ClassCondition, embedding: SinusoidalEmbedding) -> Tensor {
    switch (kind, classes) {
    case (.table, .numbers(let numbers)):
      return table.map { $0(numbers.map { Int($0) }) } ?? .zeros([numbers.count, 0])
    case (.timestep, .numbers(let numbers)):
      return layers.map { $0(embedding(numbers)) } ?? .zeros([numbers.count, 0])
    case (.identity, .vectors(let vectors)): return vectors
    case (.projection, .vectors(let vectors)): return layers.map { $0(vectors) } ?? vectors
    case (.simpleProjection, .vectors(let vectors)): return layer.map { $0(vectors) } ?? vectors
    default:
      preconditionFailure("the class embedding \(kind) does not take \(classes)")
    }
  }

  func collect(into parameters: inout NamedParameters) {
    table?.collect(into: &parameters)
    layers?.collect(into: &parameters)
    layer?.collect(into: &parameters)
  }
}
