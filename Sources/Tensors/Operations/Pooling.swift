import CKernels

extension Tensor {
  /// The greatest element of each window, with channels last, as `torch.nn.MaxPool2d`.
  ///
  /// - Parameters:
  ///   - kernelSize: the side of a window.
  ///   - stride: the distance between windows.
  ///   - padding: places around the image that no element comes from, at most half a window.
  /// - Returns: `[B, H', W', C]` for an input `[B, H, W, C]`.
  public func maxPooled2D(kernelSize: Int, stride: Int, padding: Int = 0) -> Tensor {
    let geometry = ConvolutionGeometry(
      kernelHeight: kernelSize, kernelWidth: kernelSize, strideHeight: stride,
      strideWidth: stride, paddingHeight: padding, paddingWidth: padding)
    precondition(
      rank == 4 && kernelSize > 0 && stride > 0 && (0...kernelSize / 2).contains(padding)
        && geometry.fits(shape),
      """
      pooling: input \(shape) with windows of \(kernelSize), stride \(stride) and padding \(padding)
      """)
    let (batch, channels) = (shape[0], shape[3])
    let sizes = geometry.sizes(shape)
    let output = geometry.outputShape(shape) + [channels]
    let (rowSize, imageSize) = (output[2] * channels, shape[1] * shape[2] * channels)
    // Which pixel of its image each result is, for the way back.
    let places = MaximumPlaces(count: node == nil ? 0 : output.reduce(1, *))
    let result = Tensor(shape: output) { result in
      guard let result = result.baseAddress else { return }
      withUnsafeElements { x in
        guard let x = x.baseAddress else { return }
        Loops.overRows(batch * output[1], width: rowSize) { rows in
          for row in rows {
            var sizes = sizes
            attune_max_pool_row(
              &sizes, row % output[1], x + row / output[1] * imageSize, result + row * rowSize,
              places.elements.map { $0 + row * rowSize })
          }
        }
      }
    }
    let inputShape = shape
    return result.recorded(from: self) { [node] upstream, accumulator in
      guard let places = places.elements else { return }
      var gradient = Tensor.zeros(inputShape)
      gradient.withUnsafeMutableElements { gradient in
        upstream.withUnsafeElements { upstream in
          let count = upstream.count / max(batch, 1)
          // Windows overlap within an image only.
          WorkerPool.shared.forEach(batch) { item in
            for index in item * count..<(item + 1) * count {
              let pixel = Int(places[index])
              gradient[item * imageSize + pixel * channels + index % channels] += upstream[index]
            }
          }
        }
      }
      accumulator.add(gradient, to: node)
    }
  }
}

/// Places in images that are kept until the way back.
///
/// Unchecked sendable: written once, each element by one worker, before anybody reads it.
private final class MaximumPlaces: @unchecked Sendable {
  /// Nil where nobody goes back.
  let elements: UnsafeMutablePointer<Int32>?

  init(count: Int) {
    elements = count == 0 ? nil : .allocate(capacity: count)
    elements?.initialize(repeating: 0, count: count)
  }

  deinit { elements?.deallocate() }
}
