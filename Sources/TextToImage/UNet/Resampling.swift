import NeuralNetworks
import Tensors

/// Halves an image by a convolution of stride 2; `Downsample2D` in diffusers.
final class Downsampling: Module {
  private let convolution: Conv2d
  private let padding: Int

  /// - Parameters:
  ///   - channels: of image and result.
  ///   - padding: zeros around the image; 0 puts one row below and one column to the right.
  ///   - random: draws the first weights.
  init(channels: Int, padding: Int, random: inout some RandomSource) {
    convolution = Conv2d(
      inputChannels: channels, outputChannels: channels, kernelSize: 3, stride: 2,
      padding: padding, random: &random)
    self.padding = padding
  }

  /// `[B, H, W, C]` to `[B, H / 2, W / 2, C]`.
  func callAsFunction(_ x: Tensor) -> Tensor { convolution(padding == 0 ? padded(x) : x) }

  private func padded(_ x: Tensor) -> Tensor {
    var (row, column) = (x.shape, x.shape)
    row[1] = 1
    column[1] += 1
    column[2] = 1
    let lower = Tensor.concatenated([x, .zeros(row)], along: 1)
    return Tensor.concatenated([lower, .zeros(column)], along: 2)
  }

  func collect(into parameters: inout NamedParameters) { parameters.add("conv", convolution) }
}

/// Doubles an image by repeating pixels, and smooths it by a convolution; `Upsample2D` in
/// diffusers.
final class Upsampling: Module {
  private let convolution: Conv2d

  init(channels: Int, random: inout some RandomSource) {
    convolution = Conv2d(
      inputChannels: channels, outputChannels: channels, kernelSize: 3, padding: 1,
      random: &random)
  }

  /// `[B, H, W, C]` to `[B, 2 H, 2 W, C]`, less a row or column where the result is to be odd.
  func callAsFunction(_ x: Tensor, height: Int? = nil, width: Int? = nil) -> Tensor {
    var doubled = x.upsampledNearest(by: 2)
    if let height, height < doubled.shape[1] { doubled = doubled.slice(0..<height, along: 1) }
    if let width, width < doubled.shape[2] { doubled = doubled.slice(0..<width, along: 2) }
    return convolution(doubled)
  }

  func collect(into parameters: inout NamedParameters) { parameters.add("conv", convolution) }
}
