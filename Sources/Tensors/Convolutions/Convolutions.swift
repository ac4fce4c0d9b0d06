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
