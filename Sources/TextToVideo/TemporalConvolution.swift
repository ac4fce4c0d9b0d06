import NeuralNetworks
import Tensors

/// Four convolutions over neighbouring frames beside a shortcut; `TemporalConvLayer` in diffusers.
///
/// diffusers drops 10% of the activations in training; here none are, in training or out of it.
final class TemporalConvolution: Module {
  /// A norm over all frames of a clip, SiLU, and a convolution over frames.
  private final class Stage: Module {
    let norm: GroupNorm
    let convolution: FrameConvolution
    /// Where diffusers' list of layers has the convolution: behind a dropout, but for the first.
    let place: Int

    init(channels: Int, groupCount: Int, place: Int, random: inout some RandomSource) {
      norm = GroupNorm(groupCount: groupCount, channelCount: channels)
      convolution = FrameConvolution(channels: channels, random: &random)
      self.place = place
    }

    func callAsFunction(_ clips: Tensor) -> Tensor {
      convolution(norm(clips, appliesSiLU: true))
    }

    func collect(into parameters: inout NamedParameters) {
      parameters.add("0", norm)
      parameters.add("\(place)", convolution)
    }
  }

  private let stages: [Stage]

  init(channels: Int, groupCount: Int, random: inout some RandomSource) {
    var stages: [Stage] = []
    for place in [2, 3, 3, 3] {
      stages.append(
        Stage(channels: channels, groupCount: groupCount, place: place, random: &random))
    }
    self.stages = stages
    // A new layer changes nothing.
    stages[3].convolution.setToZero()
  }

  /// `[B F, h, w, C]` to the same shape.
  func callAsFunction(_ x: Tensor, frameCount: Int) -> Tensor {
    let places = x.shape[1] * x.shape[2]
    let clips = x.reshaped(to: [-1, frameCount, places, x.shape[3]])  // [B, F, h w, C]
    return x + stages.reduce(clips) { $1($0) }.reshaped(to: x.shape)
  }

  func collect(into parameters: inout NamedParameters) {
    for (index, stage) in stages.enumerated() { parameters.add("conv\(index + 1)", stage) }
  }
}

/// A convolution over three neighbouring frames at each place: `torch.nn.Conv3d` with a kernel of
/// `(3, 1, 1)`.
private final class FrameConvolution: Module {
  /// `[C, C, 3, 1, 1]`
  private let weight: Parameter
  /// `[C]`
  private let bias: Parameter

  init(channels: Int, random: inout some RandomSource) {
    let fanIn = 3 * channels
    weight = Parameter(
      Initializers.fanInUniform([channels, channels, 3, 1, 1], fanIn: fanIn, random: &random))
    bias = Parameter(Initializers.fanInUniform([channels], fanIn: fanIn, random: &random))
  }

  func setToZero() {
    for parameter in [weight, bias] { parameter.value = .zeros(parameter.value.shape) }
  }

  /// `[B, F, N, C]` to the same shape: frames are the rows of an image, and before the first and
  /// behind the last one all is zero.
  func callAsFunction(_ clips: Tensor) -> Tensor {
    let channels = clips.shape[3]
    return clips.convolved2D(
      weight: weight.tensor.reshaped(to: [channels, channels, 3, 1]), bias: bias.tensor,
      paddingHeight: 1, paddingWidth: 0)
  }

  func collect(into parameters: inout NamedParameters) {
    parameters.add("weight", weight)
    parameters.add("bias", bias)
  }
}
