import NeuralNetworks
import Tensors
import TextToImage

/// What every layer is told of a batch of clips.
struct ClipContext {
  /// F
  let frameCount: Int
  /// The activated time embedding: `[1, T]` where all clips share it, else `[B F, T]`.
  let time: Tensor
  /// The prompts of the B clips.
  let prompt: PromptContext
}

/// A layer of a block: a residual block for each frame, and what its style has besides: a
/// convolution over frames, a transformer that reads the prompt for each frame, a transformer over
/// frames, in this order.
struct ClipLayer: Sendable {
  /// What the layers of a block share.
  struct Style {
    var residual: ResidualBlock.Style
    var hasConvolution: Bool
    /// Of each frame; nil for layers that do not read the prompt.
    var transformer: ImageTransformer.Style?
    /// Over frames; nil for layers without.
    var temporal: TemporalTransformer.Style?
    /// What diffusers calls the list of transformers over frames.
    var temporalName: String
  }

  let residual: ResidualBlock
  let convolution: TemporalConvolution?
  let transformer: ImageTransformer?
  let temporal: TemporalTransformer?
  fileprivate let temporalName: String

  init(
    inputChannels: Int, outputChannels: Int, style: Style, random: inout some RandomSource
  ) {
    residual = ResidualBlock(
      inputChannels: inputChannels, outputChannels: outputChannels, style: style.residual,
      random: &random)
    convolution =
      style.hasConvolution
      ? TemporalConvolution(
        channels: outputChannels, groupCount: style.residual.groupCount, random: &random) : nil
    transformer = style.transformer.map {
      ImageTransformer(channels: outputChannels, style: $0, random: &random)
    }
    temporal = style.temporal.map {
      TemporalTransformer(channels: outputChannels, style: $0, random: &random)
    }
    temporalName = style.temporalName
  }

  /// `[B F, h, w, inputChannels]` to `[B F, h, w, outputChannels]`.
  func callAsFunction(_ x: Tensor, _ context: ClipContext) -> Tensor {
    var x = residual(x, time: context.time)
    if let convolution { x = convolution(x, frameCount: context.frameCount) }
    if let transformer { x = transformer(x, prompt: context.prompt) }
    if let temporal { x = temporal(x, frameCount: context.frameCount) }
    return x
  }
}

extension [ClipLayer] {
  /// The attentions that read the prompt.
  var promptAttentions: [Attention] { compactMap(\.transformer).flatMap(\.promptAttentions) }

  /// diffusers lists the parts of layers by kind.
  func collect(into parameters: inout NamedParameters) {
    parameters.add("resnets", map(\.residual))
    parameters.add("temp_convs", compactMap(\.convolution))
    parameters.add("attentions", compactMap(\.transformer))
    if let name = first?.temporalName { parameters.add(name, compactMap(\.temporal)) }
  }
}
