import NeuralNetworks
import Tensors

/// Attention of all pixels to one another with one head, beside a shortcut.
final class PixelAttention: Module {
  private let norm: GroupNorm
  private let attention: Attention

  init(channels: Int, groupCount: Int, random: inout some RandomSource) {
    norm = GroupNorm(groupCount: groupCount, channelCount: channels, epsilon: 1e-6)
    attention = Attention(
      size: channels, contextSize: channels, headCount: 1, headSize: channels, hasBias: true,
      random: &random)
  }

  /// `[B, H, W, C]` to the same shape.
  func callAsFunction(_ x: Tensor) -> Tensor {
    let tokens = norm(x).reshaped(to: [x.shape[0], x.shape[1] * x.shape[2], x.shape[3]])
    return x + attention(tokens).reshaped(to: x.shape)
  }

  func collect(into parameters: inout NamedParameters) {
    parameters.add("group_norm", norm)
    attention.collect(into: &parameters)
  }
}

/// Two residual blocks, with attention between them or not.
final class AutoencoderMidBlock: Module {
  private let first: ResidualBlock
  private let attention: PixelAttention?
  private let second: ResidualBlock

  init(
    channels: Int, style: ResidualBlock.Style, hasAttention: Bool, random: inout some RandomSource
  ) {
    func residual() -> ResidualBlock {
      ResidualBlock(
        inputChannels: channels, outputChannels: channels, style: style, random: &random)
    }
    first = residual()
    second = residual()
    attention =
      hasAttention
      ? PixelAttention(channels: channels, groupCount: style.groupCount, random: &random) : nil
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let first = first(x)
    return second(attention?(first) ?? first)
  }

  func collect(into parameters: inout NamedParameters) {
    if let attention { parameters.add("attentions", [attention]) }
    parameters.add("resnets", [first, second])
  }
}

/// Residual blocks and doubling at the end; `UpDecoderBlock2D` in diffusers.
final class DecoderBlock: Module {
  private let residuals: [ResidualBlock]
  private let upsampling: Upsampling?

  init(
    inputChannels: Int, outputChannels: Int, layerCount: Int, style: ResidualBlock.Style,
    hasUpsampling: Bool, random: inout some RandomSource
  ) {
    var residuals: [ResidualBlock] = []
    for layer in 0..<layerCount {
      residuals.append(
        ResidualBlock(
          inputChannels: layer == 0 ? inputChannels : outputChannels,
          outputChannels: outputChannels, style: style, random: &random))
    }
    self.residuals = residuals
    upsampling = hasUpsampling ? Upsampling(channels: outputChannels, random: &random) : nil
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let x = residuals.reduce(x) { $1($0) }
    return upsampling.map { $0(x) } ?? x
  }

  func collect(into parameters: inout NamedParameters) {
    parameters.add("resnets", residuals)
    if let upsampling { parameters.add("upsamplers", [upsampling]) }
  }
}

/// Images to the moments of their latents.
final class ImageEncoder: Module {
  private let input: Conv2d
  private let blocks: [DownBlock]
  private let middle: AutoencoderMidBlock
  private let norm: GroupNorm
  private let output: Conv2d

  init(_ configuration: AutoencoderConfiguration, random: inout some RandomSource) {
    let channels = configuration.blockChannels
    let style = configuration.style
    input = Conv2d(
      inputChannels: configuration.imageChannels, outputChannels: channels[0], kernelSize: 3,
      padding: 1, random: &random)
    var blocks: [DownBlock] = []
    for index in channels.indices {
      blocks.append(
        DownBlock(
          inputChannels: channels[max(0, index - 1)], outputChannels: channels[index],
          layerCount: configuration.layerCount, style: style, transformer: nil,
          downsamplePadding: index < channels.count - 1 ? 0 : nil, random: &random))
    }
    self.blocks = blocks
    let last = channels[channels.count - 1]
    middle = AutoencoderMidBlock(
      channels: last, style: style, hasAttention: configuration.hasMidAttention, random: &random)
    norm = GroupNorm(
      groupCount: style.groupCount, channelCount: last, epsilon: style.epsilon)
    output = Conv2d(
      inputChannels: last, outputChannels: 2 * configuration.latentChannels, kernelSize: 3,
      padding: 1, random: &random)
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let down = blocks.reduce(input(x)) { $1($0, time: nil, prompt: nil).result }
    return output(norm(middle(down), appliesSiLU: true))
  }

  func collect(into parameters: inout NamedParameters) {
    parameters.add("conv_in", input)
    parameters.add("down_blocks", blocks)
    parameters.add("mid_block", middle)
    parameters.add("conv_norm_out", norm)
    parameters.add("conv_out", output)
  }
}

/// Latents to images.
final class ImageDecoder: Module {
  private let input: Conv2d
  private let middle: AutoencoderMidBlock
  private let blocks: [DecoderBlock]
  private let norm: GroupNorm
  private let output: Conv2d

  init(_ configuration: AutoencoderConfiguration, random: inout some RandomSource) {
    let channels = Array(configuration.blockChannels.reversed())
    let style = configuration.style
    input = Conv2d(
      inputChannels: configuration.latentChannels, outputChannels: channels[0], kernelSize: 3,
      padding: 1, random: &random)
    middle = AutoencoderMidBlock(
      channels: channels[0], style: style, hasAttention: configuration.hasMidAttention,
      random: &random)
    var blocks: [DecoderBlock] = []
    for index in channels.indices {
      blocks.append(
        DecoderBlock(
          inputChannels: channels[max(0, index - 1)], outputChannels: channels[index],
          layerCount: configuration.layerCount + 1, style: style,
          hasUpsampling: index < channels.count - 1, random: &random))
    }
    self.blocks = blocks
    let last = channels[channels.count - 1]
    norm = GroupNorm(
      groupCount: style.groupCount, channelCount: last, epsilon: style.epsilon)
    output = Conv2d(
      inputChannels: last, outputChannels: configuration.imageChannels, kernelSize: 3,
      padding: 1, random: &random)
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let up = blocks.reduce(middle(input(x))) { $1($0) }
    return output(norm(up, appliesSiLU: true))
  }

  func collect(into parameters: inout NamedParameters) {
    parameters.add("conv_in", input)
    parameters.add("up_blocks", blocks)
    parameters.add("mid_block", middle)
    parameters.add("conv_norm_out", norm)
    parameters.add("conv_out", output)
  }
}

extension AutoencoderConfiguration {
  fileprivate var style: ResidualBlock.Style {
    ResidualBlock.Style(groupCount: normGroupCount, epsilon: 1e-6, activation: activation)
  }
}
