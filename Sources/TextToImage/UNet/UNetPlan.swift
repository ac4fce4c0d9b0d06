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
    ImageTransformer.Style(
      headCount: configuration.headCounts[index], layerCount: layerCount,
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
