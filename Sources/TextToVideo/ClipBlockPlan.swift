import NeuralNetworks
import Tensors
import TextToImage

/// Makes the blocks of a U-Net of clips.
struct ClipBlockPlan {
  /// Channels of each block, from the finest down.
  let channels: [Int]
  /// Layers of each block down; one more on the way up.
  let layerCounts: [Int]
  /// Zeros around images that are halved; 0 puts them at the lower right only.
  let downsamplePadding: Int
  /// The layers of each block on the way down.
  let downStyles: [ClipLayer.Style]
  /// The layers at the bottom; the last of them is without transformers.
  let midStyle: ClipLayer.Style
  /// The layers of each block on the way up, from the finest down, too.
  let upStyles: [ClipLayer.Style]

  func downBlocks(_ random: inout some RandomSource) -> [ClipDownBlock] {
    var blocks: [ClipDownBlock] = []
    for (index, style) in downStyles.enumerated() {
      blocks.append(
        ClipDownBlock(
          inputChannels: channels[max(0, index - 1)], outputChannels: channels[index],
          layerCount: layerCounts[index], style: style,
          downsamplePadding: index < channels.count - 1 ? downsamplePadding : nil,
          random: &random))
    }
    return blocks
  }

  func midBlock(_ random: inout some RandomSource) -> ClipMidBlock {
    ClipMidBlock(channels: channels[channels.count - 1], style: midStyle, random: &random)
  }

  func upBlocks(_ random: inout some RandomSource) -> [ClipUpBlock] {
    // What the way down leaves, in order.
    var left = [channels[0]]
    for index in channels.indices {
      left += [Int](repeating: channels[index], count: layerCounts[index])
      if index < channels.count - 1 { left.append(channels[index]) }
    }
    var blocks: [ClipUpBlock] = []
    for index in channels.indices.reversed() {
      let count = layerCounts[index] + 1
      let skipped = Array(left.suffix(count).reversed())
      left.removeLast(count)
      blocks.append(
        ClipUpBlock(
          inputChannels: channels[min(index + 1, channels.count - 1)], skippedChannels: skipped,
          outputChannels: channels[index], style: upStyles[index], hasUpsampling: index > 0,
          random: &random))
    }
    return blocks
  }
}
