import CKernels

/// How a two-dimensional convolution moves over its input. One-dimensional ones have height 1.
struct ConvolutionGeometry: Sendable, Hashable {
  let kernelHeight: Int
  let kernelWidth: Int
  let strideHeight: Int
  let strideWidth: Int
  let paddingHeight: Int
  let paddingWidth: Int

  /// A one-dimensional convolution.
  static func line(kernel: Int, stride: Int, padding: Int) -> ConvolutionGeometry {
    ConvolutionGeometry(
      kernelHeight: 1, kernelWidth: kernel, strideHeight: 1, strideWidth: stride,
      paddingHeight: 0, paddingWidth: padding)
  }

  /// Whether the padded input `[B, H, W, C]` has room for the kernel in both directions.
  ///
  /// The number of positions does not tell: a division of a small negative number gives 0, not -1.
  func fits(_ input: [Int]) -> Bool {
    input[1] + 2 * paddingHeight >= kernelHeight && input[2] + 2 * paddingWidth >= kernelWidth
  }

  /// The number of positions along one dimension of an input that the kernel fits.
  private static func outputSize(_ size: Int, _ kernel: Int, _ stride: Int, _ padding: Int) -> Int {
    (size + 2 * padding - kernel) / stride + 1
  }

  /// `[B, H', W']` for an input `[B, H, W, C]`.
  func outputShape(_ input: [Int]) -> [Int] {
    [
      input[0],
      Self.outputSize(input[1], kernelHeight, strideHeight, paddingHeight),
      Self.outputSize(input[2], kernelWidth, strideWidth, paddingWidth),
    ]
  }

  /// Whether Winograd's F(4x4, 3x3) does it: with whole vectors of channels, and unless
  /// transforming the weight, four times its size, would be more work than it saves on a small
  /// image. Sizes of one image alone decide, so that results do not depend on the batch.
  func isWinograd(input: [Int], outputChannels: Int) -> Bool {
    guard kernelHeight == 3, kernelWidth == 3, strideHeight == 1, strideWidth == 1,
      paddingHeight == 1, paddingWidth == 1, input[3] % 16 == 0, outputChannels % 16 == 0
    else { return false }
    let tileCount = ((input[1] + 3) / 4) * ((input[2] + 3) / 4)
    return tileCount >= 32 || input[3] * outputChannels <= 1 << 19
  }

  /// Whether it sees one position at a time: a linear layer on channels.
  var isPointwise: Bool {
    patchArea == 1 && strideHeight == 1 && strideWidth == 1 && paddingHeight == 0
      && paddingWidth == 0
  }

  var patchArea: Int { kernelHeight * kernelWidth }

  /// The sizes that the kernels need for an input `[B, H, W, C]`.
  func sizes(_ input: [Int]) -> attune_convolution {
    let output = outputShape(input)
    return attune_convolution(
      batch: input[0], height: input[1], width: input[2], channels: input[3],
      out_height: output[1], out_width: output[2], kernel_height: kernelHeight,
      kernel_width: kernelWidth, stride_height: strideHeight, stride_width: strideWidth,
      padding_height: paddingHeight, padding_width: paddingWidth)
  }
}
