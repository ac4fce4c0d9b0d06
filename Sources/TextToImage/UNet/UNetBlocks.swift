import NeuralNetworks
import Tensors

/// Makes the blocks that a configuration asks for.
struct UNetPlan {
  private let configuration: UNetConfiguration
  private let channels: [Int]
  private let style: ResidualBlock.Style

  init(_ configuration: UNetConfiguration) {
    self.configuration = configuration
    channels = configuration.blockChannels
    style = ResidualBlock.Style(
      groupCount: configuration.normGroupCount, epsilon: configuration.normEpsilon,
      activation: configuration.activation, timeSize: configuration.blockTimeSize,
      timeInfluence: configuration.timeInfluence)
  }

  /// The transformers of the index-th block from the finest.
  private func transformer(_ index: Int, layerCount: Int) -> ImageTransformer.Style {
    // Where heads do not divide the channels, the width inside is the next lower multiple.
    ImageTransformer.Style(
      headCount: configuration.headCounts[index],
      headSize: channels[index] / configuration.headCounts[index], layerCount: layerCount,
      promptSize: configuration.crossAttentionSizes[index],
      onlyCrossAttention: configuration.onlyCrossAttention[index],
      usesLinearProjection: configuration.usesLinearProjection,
      groupCount: configuration.normGroupCount)
  }

  func downBlocks(_ random: inout some RandomSource) -> [DownBlock] {
    var blocks: [DownBlock] = []
    for (index, kind) in configuration.downBlocks.enumerated() {
      let layers = configuration.transformerLayerCounts[index]
      blocks.append(
        DownBlock(
          inputChannels: channels[max(0, index - 1)], outputChannels: channels[index],
          layerCount: configuration.layerCounts[index], style: style,
          transformer: kind == .crossAttention ? transformer(index, layerCount: layers) : nil,
          downsamplePadding: index < channels.count - 1 ? configuration.downsamplePadding : nil,
          random: &random))
    }
    return blocks
  }

  func midBlock(_ random: inout some RandomSource) -> MidBlock? {
    guard let kind = configuration.midBlock else { return nil }
    let last = channels.count - 1
    var style = style
    style.outputScale = configuration.midBlockScale
    var transformer = transformer(
      last, layerCount: configuration.transformerLayerCounts[last])
    // diffusers does not tell this block.
    transformer.onlyCrossAttention = false
    return MidBlock(
      channels: channels[last], style: style,
      transformer: kind == .crossAttention ? transformer : nil, random: &random)
  }

  func upBlocks(_ random: inout some RandomSource) -> [UpBlock] {
    let layerCounts =
      configuration.upTransformerLayerCounts ?? configuration.transformerLayerCounts.reversed()
    // What the way down leaves, in order.
    var left = [channels[0]]
    for (index, count) in configuration.layerCounts.enumerated() {
      left += [Int](repeating: channels[index], count: count)
      if index < channels.count - 1 { left.append(channels[index]) }
    }
    var blocks: [UpBlock] = []
    for (position, kind) in configuration.upBlocks.enumerated() {
      let index = channels.count - 1 - position
      let count = configuration.layerCounts[index] + 1
      let skipped = Array(left.suffix(count).reversed())
      left.removeLast(count)
      blocks.append(
        UpBlock(
          inputChannels: channels[min(index + 1, channels.count - 1)], skippedChannels: skipped,
          outputChannels: channels[index], style: style,
          transformer: kind == .crossAttention
            ? transformer(index, layerCount: layerCounts[position]) : nil,
          hasUpsampling: index > 0, random: &random))
    }
    return blocks
  }
}

/// Residual blocks, each followed by a transformer or not, and halving at the end; `DownBlock2D`,
/// `CrossAttnDownBlock2D` and, without transformers and time, `DownEncoderBlock2D` in diffusers.
final class DownBlock: Module {
  private let residuals: [ResidualBlock]
  private let transformers: [ImageTransformer]
  private let downsampling: Downsampling?

  init(
    inputChannels: Int, outputChannels: Int, layerCount: Int, style: ResidualBlock.Style,
    transformer: ImageTransformer.Style?, downsamplePadding: Int?,
    random: inout some RandomSource
  ) {
    var residuals: [ResidualBlock] = []
    var transformers: [ImageTransformer] = []
    for layer in 0..<layerCount {
      residuals.append(
        ResidualBlock(
          inputChannels: layer == 0 ? inputChannels : outputChannels,
          outputChannels: outputChannels, style: style, random: &random))
      if let transformer {
        transformers.append(
          ImageTransformer(channels: outputChannels, style: transformer, random: &random))
      }
    }
    self.residuals = residuals
    self.transformers = transformers
    downsampling = downsamplePadding.map {
      Downsampling(channels: outputChannels, padding: $0, random: &random)
    }
  }

  var promptAttentions: [Attention] { transformers.flatMap(\.promptAttentions) }

  /// The result, and what each layer and the halving gave, for the way up.
  func callAsFunction(
    _ x: Tensor, time: Tensor?, prompt: PromptContext?
  ) -> (result: Tensor, skipped: [Tensor]) {
    var x = x
    var skipped: [Tensor] = []
    for (layer, residual) in residuals.enumerated() {
      x = residual(x, time: time)
      if let prompt, !transformers.isEmpty { x = transformers[layer](x, prompt: prompt) }
      skipped.append(x)
    }
    if let downsampling {
      x = downsampling(x)
      skipped.append(x)
    }
    return (x, skipped)
  }

  func collect(into parameters: inout NamedParameters) {
    parameters.add("attentions", transformers)
    parameters.add("resnets", residuals)
    if let downsampling { parameters.add("downsamplers", [downsampling]) }
  }
}

/// A residual block, and for each transformer that one and another residual block;
/// `UNetMidBlock2DCrossAttn` and `UNetMidBlock2D` in diffusers.
final class MidBlock: Module {
  private let residuals: [ResidualBlock]
  private let transformers: [ImageTransformer]

  init(
    channels: Int, style: ResidualBlock.Style, transformer: ImageTransformer.Style?,
    random: inout some RandomSource
  ) {
    var residuals: [ResidualBlock] = []
    for _ in 0..<(transformer == nil ? 1 : 2) {
      residuals.append(
        ResidualBlock(
          inputChannels: channels, outputChannels: channels, style: style, random: &random))
    }
    self.residuals = residuals
    transformers =
      transformer.map { [ImageTransformer(channels: channels, style: $0, random: &random)] } ?? []
  }

  var promptAttentions: [Attention] { transformers.flatMap(\.promptAttentions) }

  func callAsFunction(_ x: Tensor, time: Tensor, prompt: PromptContext) -> Tensor {
    var x = residuals[0](x, time: time)
    for (transformer, residual) in zip(transformers, residuals.dropFirst()) {
      x = residual(transformer(x, prompt: prompt), time: time)
    }
    return x
  }

  func collect(into parameters: inout NamedParameters) {
    parameters.add("attentions", transformers)
    parameters.add("resnets", residuals)
  }
}

/// Residual blocks that also see what the way down left at their size, each followed by a
/// transformer or not, and doubling at the end; `UpBlock2D` and `CrossAttnUpBlock2D` in diffusers.
final class UpBlock: Module {
  private let residuals: [ResidualBlock]
  private let transformers: [ImageTransformer]
  private let upsampling: Upsampling?

  /// - Parameters:
  ///   - inputChannels: from below.
  ///   - skippedChannels: from the way down, in the order of use.
  ///   - outputChannels: of the result.
  ///   - style: of the residual blocks.
  ///   - transformer: nil for none.
  ///   - hasUpsampling: whether the result is doubled.
  ///   - random: draws the first weights.
  init(
    inputChannels: Int, skippedChannels: [Int], outputChannels: Int,
    style: ResidualBlock.Style, transformer: ImageTransformer.Style?, hasUpsampling: Bool,
    random: inout some RandomSource
  ) {
    var residuals: [ResidualBlock] = []
    var transformers: [ImageTransformer] = []
    for (layer, skipped) in skippedChannels.enumerated() {
      residuals.append(
        ResidualBlock(
          inputChannels: (layer == 0 ? inputChannels : outputChannels) + skipped,
          outputChannels: outputChannels, style: style, random: &random))
      if let transformer {
        transformers.append(
          ImageTransformer(channels: outputChannels, style: transformer, random: &random))
      }
    }
    self.residuals = residuals
    self.transformers = transformers
    upsampling = hasUpsampling ? Upsampling(channels: outputChannels, random: &random) : nil
  }

  var promptAttentions: [Attention] { transformers.flatMap(\.promptAttentions) }

  /// Takes what it needs from the end of `skipped`, and doubles to the size of what is left there.
  func callAsFunction(
    _ x: Tensor, skipped: inout [Tensor], time: Tensor, prompt: PromptContext
  ) -> Tensor {
    var x = x
    for (layer, residual) in residuals.enumerated() {
      x = residual(.concatenated([x, skipped.removeLast()], along: -1), time: time)
      if !transformers.isEmpty { x = transformers[layer](x, prompt: prompt) }
    }
    guard let upsampling else { return x }
    return upsampling(x, height: skipped.last?.shape[1], width: skipped.last?.shape[2])
  }

  func collect(into parameters: inout NamedParameters) {
    parameters.add("attentions", transformers)
    parameters.add("resnets", residuals)
    if let upsampling { parameters.add("upsamplers", [upsampling]) }
  }
}
