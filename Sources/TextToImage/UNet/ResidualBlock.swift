import NeuralNetworks
import Tensors

/// Two convolutions beside a shortcut (He et al., arXiv:1512.03385), told the time between them;
/// `ResnetBlock2D` in diffusers.
final class ResidualBlock: Module {
  /// What all residual blocks of a network share.
  struct Style {
    var groupCount: Int
    var epsilon: Float
    var activation: Activation
    /// Width of the time embedding; nil for blocks that are not told the time.
    var timeSize: Int?
    var timeInfluence = UNetConfiguration.TimeInfluence.added
    /// Divides the sum.
    var outputScale: Float = 1
  }

  private let firstNorm: GroupNorm
  private let firstConvolution: Conv2d
  private let timeProjection: Linear?
  private let secondNorm: GroupNorm
  private let secondConvolution: Conv2d
  private let shortcut: Conv2d?
  private let style: Style

  init(
    inputChannels: Int, outputChannels: Int, style: Style, random: inout some RandomSource
  ) {
    self.style = style
    firstNorm = GroupNorm(
      groupCount: style.groupCount, channelCount: inputChannels, epsilon: style.epsilon)
    firstConvolution = Conv2d(
      inputChannels: inputChannels, outputChannels: outputChannels, kernelSize: 3, padding: 1,
      random: &random)
    timeProjection = style.timeSize.map {
      Linear(
        inputSize: $0,
        outputSize: style.timeInfluence == .added ? outputChannels : 2 * outputChannels,
        random: &random)
    }
    secondNorm = GroupNorm(
      groupCount: style.groupCount, channelCount: outputChannels, epsilon: style.epsilon)
    secondConvolution = Conv2d(
      inputChannels: outputChannels, outputChannels: outputChannels, kernelSize: 3, padding: 1,
      random: &random)
    shortcut =
      inputChannels == outputChannels
      ? nil
      : Conv2d(
        inputChannels: inputChannels, outputChannels: outputChannels, kernelSize: 1,
        random: &random)
  }

  /// - Parameters:
  ///   - x: `[B, H, W, C]`
  ///   - time: activated embedding `[B, T]`, or `[1, T]` where all rows share it.
  func callAsFunction(_ x: Tensor, time: Tensor? = nil) -> Tensor {
    let hidden = convolved(activated(firstNorm, x), time: time)
    let sum = (shortcut?(x) ?? x) + secondConvolution(hidden)
    return style.outputScale == 1 ? sum : sum * (1 / style.outputScale)
  }

  private func activated(_ norm: GroupNorm, _ x: Tensor) -> Tensor {
    style.activation == .silu
      ? norm(x, appliesSiLU: true) : norm(x).applying(style.activation)
  }

  /// The first convolution, the time's influence, the second norm and its activation.
  private func convolved(_ x: Tensor, time: Tensor?) -> Tensor {
    guard let time, let timeProjection else { return activated(secondNorm, firstConvolution(x)) }
    let influence = timeProjection(time)  // [B or 1, C] or [B or 1, 2 C]
    switch style.timeInfluence {
    case .added:
      if influence.shape[0] == 1, let bias = firstConvolution.bias {
        // A time that all rows share is part of the bias.
        let hidden = x.convolved2D(
          weight: firstConvolution.weight.tensor, bias: bias.tensor + influence[0], padding: 1)
        return activated(secondNorm, hidden)
      }
      return activated(secondNorm, firstConvolution(x) + influence.asPixels)
    case .scaleAndShift:
      let channels = influence.shape[1] / 2
      let scale = influence.slice(0..<channels, along: 1).asPixels + 1
      let shift = influence.slice(channels..<(2 * channels), along: 1).asPixels
      let normed = secondNorm(firstConvolution(x))
      return (normed * scale + shift).applying(style.activation)
    }
  }

  func collect(into parameters: inout NamedParameters) {
    parameters.add("norm1", firstNorm)
    parameters.add("conv1", firstConvolution)
    parameters.add("time_emb_proj", timeProjection)
    parameters.add("norm2", secondNorm)
    parameters.add("conv2", secondConvolution)
    parameters.add("conv_shortcut", shortcut)
  }
}

extension Tensor {
  /// `[B, C]` to `[B, 1, 1, C]`.
  fileprivate var asPixels: Tensor { reshaped(to: [shape[0], 1, 1, shape[1]]) }
}
