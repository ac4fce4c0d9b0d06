import NeuralNetworks
import Tensors
import TextToImage

/// Attention of every place to itself in all frames of its clip, twice, and a gated MLP, beside a
/// shortcut; `TransformerTemporalModel` and, where it is told which frame is which,
/// `AnimateDiffTransformer3D` in diffusers.
final class TemporalTransformer: Module {
  struct Style {
    var headCount: Int
    /// The width inside is `headCount` times as much, whatever the channels are.
    var headSize: Int
    var layerCount = 1
    /// The maximum number of frames that are told their places; nil where none is, and order comes
    /// from `TemporalConvolution` alone.
    var positionCount: Int?
    var groupCount: Int
  }

  private let norm: GroupNorm
  private let input: Linear
  private let blocks: [TransformerBlock]
  private let output: Linear

  init(channels: Int, style: Style, random: inout some RandomSource) {
    let size = style.headCount * style.headSize
    norm = GroupNorm(groupCount: style.groupCount, channelCount: channels, epsilon: 1e-6)
    input = Linear(inputSize: channels, outputSize: size, random: &random)
    var blocks: [TransformerBlock] = []
    for _ in 0..<style.layerCount {
      blocks.append(
        TransformerBlock(
          size: size, headCount: style.headCount, promptSize: nil,
          positionCount: style.positionCount, random: &random))
    }
    self.blocks = blocks
    output = Linear(inputSize: size, outputSize: channels, random: &random)
  }

  /// `[B F, h, w, C]` to the same shape; norms are over all frames of a clip.
  func callAsFunction(_ x: Tensor, frameCount: Int) -> Tensor {
    let (height, width, channels) = (x.shape[1], x.shape[2], x.shape[3])
    let clips = x.reshaped(to: [-1, frameCount, height, width, channels])
    let places = norm(clips).transposed([0, 2, 3, 1, 4])  // [B, h, w, F, C]
    let sequences = places.reshaped(to: [-1, frameCount, channels])  // [B h w, F, C]
    let attended = blocks.reduce(input(sequences)) { $1($0) }
    let result = output(attended).reshaped(to: places.shape)
    return x + result.transposed([0, 3, 1, 2, 4]).reshaped(to: x.shape)
  }

  func collect(into parameters: inout NamedParameters) {
    parameters.add("norm", norm)
    parameters.add("proj_in", input)
    parameters.add("transformer_blocks", blocks)
    parameters.add("proj_out", output)
  }
}
