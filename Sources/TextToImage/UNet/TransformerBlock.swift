import Foundation
import NeuralNetworks
import Tensors

/// Attention to the tokens, attention to the prompt and a gated MLP; `BasicTransformerBlock`
/// in diffusers.
package final class TransformerBlock: Module {
  private let firstNorm: LayerNorm
  private let firstAttention: Attention
  private let secondNorm: LayerNorm
  private let secondAttention: Attention
  private let thirdNorm: LayerNorm
  private let mlp: GatedMLP
  private let positions: SinusoidalPositions?
  /// The attentions that read the prompt; the others read the tokens themselves.
  let promptAttentions: [Attention]

  /// - Parameters:
  ///   - size: of tokens.
  ///   - headCount: divides it.
  ///   - promptSize: of the prompt's states; nil for no prompt: both attentions are then to the
  ///     tokens, diffusers' `double_self_attention`.
  ///   - onlyCrossAttention: whether both attentions are to the prompt.
  ///   - positionCount: the maximum number of tokens that are told their places; nil where they are
  ///     not told.
  ///   - random: draws the first weights.
  package init(
    size: Int, headCount: Int, promptSize: Int?, onlyCrossAttention: Bool = false,
    positionCount: Int? = nil, random: inout some RandomSource
  ) {
    let headSize = size / headCount
    func attention(to contextSize: Int?) -> Attention {
      Attention(
        size: size, contextSize: contextSize ?? size, headCount: headCount, headSize: headSize,
        random: &random)
    }
    firstNorm = LayerNorm(size: size)
    firstAttention = attention(to: onlyCrossAttention ? promptSize : nil)
    secondNorm = LayerNorm(size: size)
    secondAttention = attention(to: promptSize)
    thirdNorm = LayerNorm(size: size)
    mlp = GatedMLP(size: size, random: &random)
    positions = positionCount.map { SinusoidalPositions(count: $0, size: size) }
    promptAttentions =
      (onlyCrossAttention ? [firstAttention] : []) + (promptSize == nil ? [] : [secondAttention])
  }

  /// `[B G, N, size]` to the same shape; G neighbouring rows share a prompt of the B.
  package func callAsFunction(_ x: Tensor, prompt: PromptContext? = nil) -> Tensor {
    var x = x
    x = x + attended(placed(firstNorm(x)), by: firstAttention, prompt: prompt)
    x = x + attended(placed(secondNorm(x)), by: secondAttention, prompt: prompt)
    return x + mlp(thirdNorm(x))
  }

  private func placed(_ tokens: Tensor) -> Tensor { positions.map { $0(tokens) } ?? tokens }

  private func attended(
    _ x: Tensor, by attention: Attention, prompt: PromptContext?
  ) -> Tensor {
    guard let prompt, promptAttentions.contains(where: { $0 === attention }) else {
      return attention(x)
    }
    return attention(x, to: prompt(attention))
  }

  package func collect(into parameters: inout NamedParameters) {
    parameters.add("norm1", firstNorm)
    parameters.add("attn1", firstAttention)
    parameters.add("norm2", secondNorm)
    parameters.add("attn2", secondAttention)
    parameters.add("norm3", thirdNorm)
    parameters.add("ff", mlp)
    parameters.add("pos_embed", positions)
  }
}

/// A sine or cosine of every token's place, added to it (Vaswani et al., arXiv:1706.03762, section
/// 3.5); `SinusoidalPositionalEmbedding` in diffusers, which keeps the table in its files.
final class SinusoidalPositions: Module {
  /// `[1, count, size]`
  private let table: Parameter

  init(count: Int, size: Int) {
    let elements = (0..<count * size).map { index in
      let (place, column) = (index / size, index % size)
      let frequency = expf(Float(column / 2 * 2) * Float(-log(10_000.0) / Double(size)))
      let angle = Float(place) * frequency
      return column % 2 == 0 ? sinf(angle) : cosf(angle)
    }
    table = Parameter(Tensor(shape: [1, count, size], elements: elements))
    // Nothing is learned here.
    table.isTrainable = false
  }

  /// `[B, N, size]` to the same shape.
  func callAsFunction(_ tokens: Tensor) -> Tensor {
    tokens + table.tensor.slice(0..<tokens.shape[1], along: 1)
  }

  func collect(into parameters: inout NamedParameters) { parameters.add("pe", table) }
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
package final class ImageTransformer: Module {
  package struct Style {
    package var headCount: Int
    /// The width inside is `headCount` times as much, whatever the channels are.
    package var headSize: Int
    package var layerCount: Int
    package var promptSize: Int
    package var onlyCrossAttention: Bool
    package var usesLinearProjection: Bool
    package var groupCount: Int

    package init(
      headCount: Int, headSize: Int, layerCount: Int, promptSize: Int,
      onlyCrossAttention: Bool = false, usesLinearProjection: Bool, groupCount: Int
    ) {
      self.headCount = headCount
      self.headSize = headSize
      self.layerCount = layerCount
      self.promptSize = promptSize
      self.onlyCrossAttention = onlyCrossAttention
      self.usesLinearProjection = usesLinearProjection
      self.groupCount = groupCount
    }
  }

  private let norm: GroupNorm
  /// Linear layers, or convolutions that see one pixel: only the shapes of their weights differ.
  private let input: any Module
  private let blocks: [TransformerBlock]
  private let output: any Module

  package init(channels: Int, style: Style, random: inout some RandomSource) {
    let size = style.headCount * style.headSize
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

  package var promptAttentions: [Attention] { blocks.flatMap(\.promptAttentions) }

  /// `[B G, H, W, C]` to the same shape; G neighbouring images, such as a clip's frames, share a
  /// prompt of the B.
  package func callAsFunction(_ x: Tensor, prompt: PromptContext) -> Tensor {
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

  package func collect(into parameters: inout NamedParameters) {
    parameters.add("norm", norm)
    parameters.add("proj_in", input)
    parameters.add("transformer_blocks", blocks)
    parameters.add("proj_out", output)
  }
}

/// Attention with the weight names of diffusers' `Attention`.
package final class Attention: Module {
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

  /// Attention of x `[B G, N, size]` to B rows of keys and values, which G neighbouring rows share.
  func callAsFunction(_ x: Tensor, to context: PromptContext.KeysAndValues) -> Tensor {
    let queries = toQueries(x)
    let shared = queries.reshaped(to: [context.keys.shape[0], -1, queries.size(-1)])
    let attended = shared.attention(
      keys: context.keys, values: context.values, headCount: headCount)
    return toOutput(attended.reshaped(to: queries.shape))
  }

  /// Attention of x `[B, N, size]` to itself.
  func callAsFunction(_ x: Tensor) -> Tensor { self(x, to: keysAndValues(x)) }

  package func collect(into parameters: inout NamedParameters) {
    parameters.add("to_q", toQueries)
    parameters.add("to_k", toKeys)
    parameters.add("to_v", toValues)
    parameters.add("to_out.0", toOutput)
  }
}
