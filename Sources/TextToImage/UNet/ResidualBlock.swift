import NeuralNetworks
import Tensors

/// Two convolutions beside a shortcut (He et al., arXiv:1512.03385), told the time between them;
/// `ResnetBlock2D` in diffusers.
package final class ResidualBlock: Module {
  /// What all residual blocks of a network share.
  package struct Style {
    package var groupCount: Int
    package var epsilon: Float
    package var activation: Activation
    /// Width of the time embedding; nil for blocks that are not told the time.
    package var timeSize: Int?
    package var timeInfluence: UNetConfiguration.TimeInfluence
    /// Divides the sum.
    package var outputScale: Float

    package init(
      groupCount: Int, epsilon: Float, activation: Activation, timeSize: Int? = nil,
      timeInfluence: UNetConfiguration.TimeInfluence = .added, outputScale: Float = 1
    ) {
      self.groupCount = groupCount
      self.epsilon = epsilon
      self.activation = activation
      self.timeSize = timeSize
      self.timeInfluence = timeInfluence
      self.outputScale = outputScale
    }
  }

  private let firstNorm: GroupNorm
  private let firstConvolution: Conv2d
  private let timeProjection: Linear?
  private let secondNorm: GroupNorm
  private let secondConvolution: Conv2d
  private let shortcut: Conv2d?
  private let style: Style

  package init(
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
  package func callAsFunction(_ x: Tensor, time: Tensor? = nil) -> Tensor {
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

  package func collect(into parameters: inout NamedParameters) {
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

/// Halves an image by a convolution of stride 2; `Downsample2D` in diffusers.
package final class Downsampling: Module {
  private let convolution: Conv2d
  private let padding: Int

  /// - Parameters:
  ///   - channels: of image and result.
  ///   - padding: zeros around the image; 0 puts one row below and one column to the right.
  ///   - random: draws the first weights.
  package init(channels: Int, padding: Int, random: inout some RandomSource) {
    convolution = Conv2d(
      inputChannels: channels, outputChannels: channels, kernelSize: 3, stride: 2,
      padding: padding, random: &random)
    self.padding = padding
  }

  /// `[B, H, W, C]` to `[B, H / 2, W / 2, C]`.
  package func callAsFunction(_ x: Tensor) -> Tensor { convolution(padding == 0 ? padded(x) : x) }

  private func padded(_ x: Tensor) -> Tensor {
    var (row, column) = (x.shape, x.shape)
    row[1] = 1
    column[1] += 1
    column[2] = 1
    let lower = Tensor.concatenated([x, .zeros(row)], along: 1)
    return Tensor.concatenated([lower, .zeros(column)], along: 2)
  }

  package func collect(into parameters: inout NamedParameters) {
    parameters.add("conv", convolution)
  }
}

/// Doubles an image by repeating pixels, and smooths it by a convolution; `Upsample2D` in
/// diffusers.
package final class Upsampling: Module {
  private let convolution: Conv2d

  package init(channels: Int, random: inout some RandomSource) {
    convolution = Conv2d(
      inputChannels: channels, outputChannels: channels, kernelSize: 3, padding: 1,
      random: &random)
  }

  /// `[B, H, W, C]` to `[B, 2 H, 2 W, C]`, less a row or column where the result is to be odd.
  package func callAsFunction(_ x: Tensor, height: Int? = nil, width: Int? = nil) -> Tensor {
    var doubled = x.upsampledNearest(by: 2)
    if let height, height < doubled.shape[1] { doubled = doubled.slice(0..<height, along: 1) }
    if let width, width < doubled.shape[2] { doubled = doubled.slice(0..<width, along: 2) }
    return convolution(doubled)
  }

  package func collect(into parameters: inout NamedParameters) {
    parameters.add("conv", convolution)
  }
}
