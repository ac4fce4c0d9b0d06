import NeuralNetworks
import Tensors

/// Self-attention with the weight names of transformers' CLIP.
final class CLIPAttention: Module {
  private let query: Linear
  private let key: Linear
  private let value: Linear
  private let output: Linear
  private let headCount: Int

  init(size: Int, headCount: Int, random: inout some RandomSource) {
    precondition(size % headCount == 0, "\(headCount) heads do not divide width \(size)")
    key = Linear(inputSize: size, outputSize: size, random: &random)
    value = Linear(inputSize: size, outputSize: size, random: &random)
    query = Linear(inputSize: size, outputSize: size, random: &random)
    output = Linear(inputSize: size, outputSize: size, random: &random)
    self.headCount = headCount
  }

  func callAsFunction(_ x: Tensor, isCausal: Bool) -> Tensor {
    output(
      query(x).attention(
        keys: key(x), values: value(x), headCount: headCount, isCausal: isCausal))
  }

  func collect(into parameters: inout NamedParameters) {
    parameters.add("k_proj", key)
    parameters.add("v_proj", value)
    parameters.add("q_proj", query)
    parameters.add("out_proj", output)
  }
}

/// The two layers of a CLIP MLP.
final class CLIPMLP: Module {
  private let first: Linear
  private let second: Linear
  private let activation: Activation

  init(size: Int, intermediateSize: Int, activation: Activation, random: inout some RandomSource) {
    first = Linear(inputSize: size, outputSize: intermediateSize, random: &random)
    second = Linear(inputSize: intermediateSize, outputSize: size, random: &random)
    self.activation = activation
  }

  func callAsFunction(_ x: Tensor) -> Tensor { second(first(x, activation: activation)) }

  func collect(into parameters: inout NamedParameters) {
    parameters.add("fc1", first)
    parameters.add("fc2", second)
  }
}

/// One layer of a CLIP transformer, normalized before attention and MLP.
final class CLIPLayer: Module {
  private let attention: CLIPAttention
  private let attentionNorm: LayerNorm
  private let mlp: CLIPMLP
  private let mlpNorm: LayerNorm

  init(_ sizes: CLIPTransformer.Sizes, random: inout some RandomSource) {
    attention = CLIPAttention(size: sizes.width, headCount: sizes.headCount, random: &random)
    attentionNorm = LayerNorm(size: sizes.width, epsilon: sizes.normEpsilon)
    mlp = CLIPMLP(
      size: sizes.width, intermediateSize: sizes.intermediateSize, activation: sizes.activation,
      random: &random)
    mlpNorm = LayerNorm(size: sizes.width, epsilon: sizes.normEpsilon)
  }

  func callAsFunction(_ x: Tensor, isCausal: Bool) -> Tensor {
    let attended = x + attention(attentionNorm(x), isCausal: isCausal)
    return attended + mlp(mlpNorm(attended))
  }

  func collect(into parameters: inout NamedParameters) {
    parameters.add("self_attn", attention)
    parameters.add("layer_norm1", attentionNorm)
    parameters.add("mlp", mlp)
    parameters.add("layer_norm2", mlpNorm)
  }
}

/// The layers that CLIP's text and image towers share, with transformers' weight names
/// (`layers.<i>.*`).
public final class CLIPTransformer: Module {
  /// The sizes of a tower.
  public struct Sizes: Sendable {
    /// D
    public var width: Int
    /// The width inside MLPs.
    public var intermediateSize: Int
    /// The number of layers.
    public var layerCount: Int
    /// The number of attention heads.
    public var headCount: Int
    /// The MLPs' activation.
    public var activation: Activation
    /// Added to variances.
    public var normEpsilon: Float

    /// A tower of the given sizes.
    public init(
      width: Int, intermediateSize: Int, layerCount: Int, headCount: Int, activation: Activation,
      normEpsilon: Float
    ) {
      self.width = width
      self.intermediateSize = intermediateSize
      self.layerCount = layerCount
      self.headCount = headCount
      self.activation = activation
      self.normEpsilon = normEpsilon
    }
  }

  private let layers: [CLIPLayer]

  /// Layers with PyTorch's default initialization.
  public init(_ sizes: Sizes, random: inout some RandomSource) {
    var layers: [CLIPLayer] = []
    for _ in 0..<sizes.layerCount { layers.append(CLIPLayer(sizes, random: &random)) }
    self.layers = layers
  }

  /// `[B, L, D]` to the same shape.
  ///
  /// - Parameters:
  ///   - x: embedded tokens or patches.
  ///   - isCausal: whether tokens see earlier ones only, as in the text tower.
  ///   - skippedCount: how many of the last layers are left out.
  public func callAsFunction(_ x: Tensor, isCausal: Bool, skippedCount: Int = 0) -> Tensor {
    precondition(
      (0...layers.count).contains(skippedCount),
      "cannot skip \(skippedCount) of \(layers.count) layers")
    return layers.dropLast(skippedCount).reduce(x) { $1($0, isCausal: isCausal) }
  }

  /// `layers.<i>.*`
  public func collect(into parameters: inout NamedParameters) {
    parameters.add("layers", layers)
  }
}
