import NeuralNetworks
import Tensors

/// Attention to the image, attention to the prompt and a gated MLP; `BasicTransformerBlock`
/// in diffusers.
final class TransformerBlock: Module {
  private let firstNorm: LayerNorm
  private let firstAttention: Attention
  private let secondNorm: LayerNorm
  let promptAttention: Attention
  private let thirdNorm: LayerNorm
  private let mlp: GatedMLP
  private let onlyCrossAttention: Bool

  init(
    size: Int, headCount: Int, promptSize: Int, onlyCrossAttention: Bool,
    random: inout some RandomSource
  ) {
    let headSize = size / headCount
    firstNorm = LayerNorm(size: size)
    firstAttention = Attention(
      size: size, contextSize: onlyCrossAttention ? promptSize : size, headCount: headCount,
      headSize: headSize, random: &random)
    secondNorm = LayerNorm(size: size)
    promptAttention = Attention(
      size: size, contextSize: promptSize, headCount: headCount, headSize: headSize,
      random: &random)
    thirdNorm = LayerNorm(size: size)
    mlp = GatedMLP(size: size, random: &random)
    self.onlyCrossAttention = onlyCrossAttention
  }

  /// The attentions that read the prompt.
  var promptAttentions: [Attention] {
    onlyCrossAttention ? [firstAttention, promptAttention] : [promptAttention]
  }

  /// `[B, N, size]` to the same shape.
  func callAsFunction(_ x: Tensor, prompt: PromptContext) -> Tensor {
    var x = x
    let normed = firstNorm(x)
    x =
      x
      + (onlyCrossAttention
        ? firstAttention(normed, to: prompt(firstAttention)) : firstAttention(normed))
    x = x + promptAttention(secondNorm(x), to: prompt(promptAttention))
    return x + mlp(thirdNorm(x))
  }

  func collect(into parameters: inout NamedParameters) {
    parameters.add("norm1", firstNorm)
    parameters.add("attn1", firstAttention)
    parameters.add("norm2", secondNorm)
    parameters.add("attn2", promptAttention)
    parameters.add("norm3", thirdNorm)
    parameters.add("ff", mlp)
  }
}

/// An MLP whose hidden layer is gated by GELU (Shazeer, arXiv:2002.05202): GEGLU.
final class GatedMLP: Module {
  private let first: Linear
  private let second: Linear
  private let hiddenSize: Int

  init(size: Int, random: inout some RandomSource) {
    hiddenSize = 4 * size
    first = Linear(inputSize: size, outputSize: 2 * hiddenSize, random: &random)
    second = Linear(inputSize: hiddenSize, outputSize: size, random: &random)
  }

  /// Rows that are taken at a time where no gradients are wanted: the hidden layer is eight times
  /// as wide as the tokens, and the largest of all activations.
  private static let rowCount = 1_024

  /// `[B, N, size]` to the same shape.
  func callAsFunction(_ x: Tensor) -> Tensor {
    let count = x.shape[0] * x.shape[1]
    if Recording.isOn || count <= Self.rowCount { return transformed(x) }
    let rows = x.reshaped(to: [count, x.shape[2]])
    let parts = stride(from: 0, to: count, by: Self.rowCount).map {
      transformed(rows.slice($0..<min(count, $0 + Self.rowCount)))
    }
    return Tensor.concatenated(parts, along: 0).reshaped(to: x.shape)
  }

  private func transformed(_ x: Tensor) -> Tensor {
    let both = first(x)  // [..., 2 hiddenSize]
    let values = both.slice(0..<hiddenSize, along: -1)
    let gates = both.slice(hiddenSize..<(2 * hiddenSize), along: -1)
    return second(values * gates.gelu())
  }

  func collect(into parameters: inout NamedParameters) {
    parameters.add("net.0.proj", first)
    parameters.add("net.2", second)
  }
}

/// Transformer blocks over an image's pixels, beside a shortcut; `Transformer2DModel` in diffusers.
final class ImageTransformer: Module {
  struct Style {
    var headCount: Int
    var layerCount: Int
    var promptSize: Int
    var onlyCrossAttention = false
    var usesLinearProjection: Bool
    var groupCount: Int
  }

  private let norm: GroupNorm
  /// Linear layers, or convolutions that see one pixel: only the shapes of their weights differ.
  private let input: any Module
  private let blocks: [TransformerBlock]
  private let output: any Module

  init(channels: Int, style: Style, random: inout some RandomSource) {
    // Where heads do not divide the channels, the width inside is the next lower multiple.
    let size = channels / style.headCount * style.headCount
    norm = GroupNorm(groupCount: style.groupCount, channelCount: channels, epsilon: 1e-6)
    func projection(_ inputs: Int, _ outputs: Int) -> any Module {
      style.usesLinearProjection
        ? Linear(inputSize: inputs, outputSize: outputs, random: &random)
        : Conv2d(inputChannels: inputs, outputChannels: outputs, kernelSize: 1, random: &random)
    }
    input = projection(channels, size)
    var blocks: [TransformerBlock] = []
    for _ in 0..<style.layerCount {
      blocks.append(
        TransformerBlock(
          size: size, headCount: style.headCount, promptSize: style.promptSize,
          onlyCrossAttention: style.onlyCrossAttention, random: &random))
    }
    self.blocks = blocks
    output = projection(size, channels)
  }

  var promptAttentions: [Attention] { blocks.flatMap(\.promptAttentions) }

  /// `[B, H, W, C]` to the same shape.
  func callAsFunction(_ x: Tensor, prompt: PromptContext) -> Tensor {
    let (batch, height, width) = (x.shape[0], x.shape[1], x.shape[2])
    let projected = project(norm(x), by: input)
    let tokens = projected.reshaped(to: [batch, height * width, projected.size(-1)])
    let transformed = blocks.reduce(tokens) { $1($0, prompt: prompt) }
    return x
      + project(
        transformed.reshaped(to: [batch, height, width, projected.size(-1)]), by: output)
  }

  private func project(_ x: Tensor, by layer: any Module) -> Tensor {
    switch layer {
    case let linear as Linear: return linear(x)
    case let convolution as Conv2d: return convolution(x)
    default: preconditionFailure("a projection is linear or a convolution")
    }
  }

  func collect(into parameters: inout NamedParameters) {
    parameters.add("norm", norm)
    parameters.add("proj_in", input)
    parameters.add("transformer_blocks", blocks)
    parameters.add("proj_out", output)
  }
}

/// Attention with the weight names of diffusers' `Attention`.
final class Attention: Module {
  private let toQueries: Linear
  private let toKeys: Linear
  private let toValues: Linear
  private let toOutput: Linear
  private let headCount: Int

  /// - Parameters:
  ///   - size: of queries and result.
  ///   - contextSize: of what is attended to; the same for self-attention.
  ///   - headCount: the number of heads.
  ///   - headSize: of one head.
  ///   - hasBias: whether queries, keys and values have one.
  ///   - random: draws the first weights.
  init(
    size: Int, contextSize: Int, headCount: Int, headSize: Int, hasBias: Bool = false,
    random: inout some RandomSource
  ) {
    let inner = headCount * headSize
    self.headCount = headCount
    toQueries = Linear(inputSize: size, outputSize: inner, hasBias: hasBias, random: &random)
    toKeys = Linear(inputSize: contextSize, outputSize: inner, hasBias: hasBias, random: &random)
    toValues = Linear(
      inputSize: contextSize, outputSize: inner, hasBias: hasBias, random: &random)
    toOutput = Linear(inputSize: inner, outputSize: size, random: &random)
  }

  /// What `context` `[B, L, contextSize]` says to any query.
  func keysAndValues(_ context: Tensor) -> PromptContext.KeysAndValues {
    PromptContext.KeysAndValues(keys: toKeys(context), values: toValues(context))
  }

  /// Attention of x `[B, N, size]` to keys and values.
  func callAsFunction(_ x: Tensor, to context: PromptContext.KeysAndValues) -> Tensor {
    toOutput(
      toQueries(x).attention(
        keys: context.keys, values: context.values, headCount: headCount))
  }

  /// Attention of x `[B, N, size]` to itself.
  func callAsFunction(_ x: Tensor) -> Tensor { self(x, to: keysAndValues(x)) }

  func collect(into parameters: inout NamedParameters) {
    parameters.add("to_q", toQueries)
    parameters.add("to_k", toKeys)
    parameters.add("to_v", toValues)
    parameters.add("to_out.0", toOutput)
  }
}
