import CKernels

extension Tensor {
  /// A two-dimensional convolution with channels last (a cross-correlation, as in PyTorch).
  ///
  /// - Parameters:
  ///   - weight: `[out, in, kh, kw]`, as in `torch.nn.Conv2d`.
  ///   - bias: `[out]`.
  ///   - stride: the distance between kernel positions.
  ///   - padding: zeros around the image.
  /// - Returns: `[B, H', W', out]` for an input `[B, H, W, in]`.
  public func convolved2D(
    weight: Tensor, bias: Tensor? = nil, stride: Int = 1, padding: Int = 0
  ) -> Tensor {
    precondition(
      rank == 4 && weight.rank == 4,
      "convolution: input \(shape) is not [B, H, W, C] or weight \(weight.shape) not [O, I, kh, kw]"
    )
    return convolved(
      weight: weight, bias: bias,
      geometry: ConvolutionGeometry(
        kernelHeight: weight.shape[2], kernelWidth: weight.shape[3], strideHeight: stride,
        strideWidth: stride, paddingHeight: padding, paddingWidth: padding))
  }

  /// The same for a kernel whose sides differ, at every position.
  ///
  /// - Parameters:
  ///   - weight: `[out, in, kh, kw]`.
  ///   - bias: `[out]`.
  ///   - paddingHeight: rows of zeros above and below the image.
  ///   - paddingWidth: columns of zeros left and right of it.
  /// - Returns: `[B, H', W', out]` for an input `[B, H, W, in]`.
  public func convolved2D(
    weight: Tensor, bias: Tensor? = nil, paddingHeight: Int, paddingWidth: Int
  ) -> Tensor {
    precondition(
      rank == 4 && weight.rank == 4,
      "convolution: input \(shape) is not [B, H, W, C] or weight \(weight.shape) not [O, I, kh, kw]"
    )
    return convolved(
      weight: weight, bias: bias,
      geometry: ConvolutionGeometry(
        kernelHeight: weight.shape[2], kernelWidth: weight.shape[3], strideHeight: 1,
        strideWidth: 1, paddingHeight: paddingHeight, paddingWidth: paddingWidth))
  }

  /// A one-dimensional convolution with channels last.
  ///
  /// - Parameters:
  ///   - weight: `[out, in, k]`, as in `torch.nn.Conv1d`.
  ///   - bias: `[out]`.
  ///   - stride: the distance between kernel positions.
  ///   - padding: zeros at both ends.
  /// - Returns: `[B, L', out]` for an input `[B, L, in]`.
  public func convolved1D(
    weight: Tensor, bias: Tensor? = nil, stride: Int = 1, padding: Int = 0
  ) -> Tensor {
    precondition(
      rank == 3 && weight.rank == 3,
      "convolution: input \(shape) is not [B, L, C] or weight \(weight.shape) not [O, I, k]")
    return expandingDimension(at: 1).convolved(
      weight: weight.expandingDimension(at: 2), bias: bias,
      geometry: .line(kernel: weight.shape[2], stride: stride, padding: padding)
    ).droppingDimension(at: 1)
  }

  /// A transposed one-dimensional convolution with channels last.
  ///
  /// - Parameters:
  ///   - weight: `[in, out, k]`, as in `torch.nn.ConvTranspose1d`.
  ///   - bias: `[out]`.
  ///   - stride: the distance between the places of neighbouring inputs.
  ///   - padding: results left out at both ends.
  /// - Returns: `[B, L', out]` with L' = (L - 1) stride - 2 padding + k for an input `[B, L, in]`.
  public func convolvedTransposed1D(
    weight: Tensor, bias: Tensor? = nil, stride: Int = 1, padding: Int = 0
  ) -> Tensor {
    precondition(
      rank == 3 && weight.rank == 3 && size(-1) == weight.shape[0],
      "transposed convolution: input \(shape) and weight \(weight.shape) do not fit")
    let (batch, length) = (shape[0], shape[1])
    let (out, kernel) = (weight.shape[1], weight.shape[2])
    let geometry = ConvolutionGeometry.line(kernel: kernel, stride: stride, padding: padding)
    let resultShape = [batch, 1, (length - 1) * stride - 2 * padding + kernel, out]
    precondition(
      length > 0 && resultShape[2] > 0, "transposed convolution: nothing is left of \(shape)")
    // The weight is that of the convolution whose gradient this is.
    let x = detached().reshaped(to: [batch, 1, length, shape[2]])
    let w = weight.detached().expandingDimension(at: 2)
    let result = PatchConvolution.inputGradient(
      x, weight: w, inputShape: resultShape, geometry: geometry
    ).recorded(from: self, weight) { [node, weightNode = weight.node] upstream, accumulator in
      accumulator.add(
        PatchConvolution.forward(upstream, weight: w, bias: nil, geometry: geometry)
          .droppingDimension(at: 1), to: node)
      accumulator.add(
        PatchConvolution.weightGradient(
          upstream, upstream: x, weightShape: w.shape, geometry: geometry
        ).droppingDimension(at: 2), to: weightNode)
    }.droppingDimension(at: 1)
    return bias.map { result + $0 } ?? result
  }

  private func convolved(
    weight: Tensor, bias: Tensor?, geometry: ConvolutionGeometry
  ) -> Tensor {
    let (out, inputs) = (weight.shape[0], weight.shape[1])
    precondition(
      size(-1) == inputs && (bias.map { $0.shape == [out] } ?? true),
      "convolution: input \(shape), weight \(weight.shape) and bias \(bias?.shape ?? []) do not fit"
    )
    precondition(
      shape[0] > 0 && geometry.fits(shape),
      """
      convolution: input \(shape), padded by \(geometry.paddingHeight) and \
      \(geometry.paddingWidth), is empty or smaller than the kernel of weight \(weight.shape)
      """)
    if geometry.isPointwise {
      return linear(weight: weight.reshaped(to: [out, inputs]), bias: bias)
    }
    let (x, w) = (detached(), weight.detached())
    let isWinograd = geometry.isWinograd(input: shape, outputChannels: out)
    let result =
      isWinograd
      ? WinogradConvolution.forward(x, weight: w, bias: bias)
      : PatchConvolution.forward(x, weight: w, bias: bias, geometry: geometry)
    let inputShape = shape
    // The input is needed for the weight's gradient alone.
    let keptInput = weight.node == nil ? nil : x
    return result.recorded(from: [self, weight] + (bias.map { [$0] } ?? [])) {
      [node, weightNode = weight.node, biasNode = bias?.node] upstream, accumulator in
      if let keptInput {
        accumulator.add(
          isWinograd
            ? WinogradConvolution.weightGradient(keptInput, upstream: upstream)
            : PatchConvolution.weightGradient(
              keptInput, upstream: upstream, weightShape: w.shape, geometry: geometry),
          to: weightNode)
      }
      accumulator.add(upstream.sum(to: [out]), to: biasNode)
      accumulator.add(
        isWinograd
          ? WinogradConvolution.inputGradient(upstream, weight: w)
          : PatchConvolution.inputGradient(
            upstream, weight: w, inputShape: inputShape, geometry: geometry), to: node)
    }
  }

  private func droppingDimension(at dimension: Int) -> Tensor {
    var shape = self.shape
    shape.remove(at: dimension)
    return reshaped(to: shape)
  }
}

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
