import CKernels

/// Convolutions as products of patches and weights, for any kernel size, stride and padding.
///
/// Patches are gathered a block of positions at a time, so that they stay in cache. Weights have
/// shape `[out, in, kh, kw]`.
enum PatchConvolution {
  /// About 1 MB of patches in a block.
  private static let blockElementCount = 1 << 18
  /// Four tiles of the matrix product.
  private static var blockGranularity: Int { 4 * MatrixKernel.current.rowUnit }

  /// Positions in a block; fixed by the sizes and the kernel alone, since weight gradients are summed
  /// by block.
  private static func blockPositionCount(patchSize: Int) -> Int {
    let granularity = blockGranularity
    return max(1, blockElementCount / max(patchSize, 1) / granularity) * granularity
  }

  /// The weight as `[kh * kw * in, out]` (patches to outputs) or as its transpose.
  private static func packedWeight(_ weight: Tensor, isTransposed: Bool) -> PackedOperand {
    keptWeight(weight, isTransposed: isTransposed)
      ?? makePacked(weight, isTransposed: isTransposed)
  }

  private static func keptWeight(_ weight: Tensor, isTransposed: Bool) -> PackedOperand? {
    let (out, patchSize) = (weight.shape[0], weight.count / weight.shape[0])
    let (inner, columns) = isTransposed ? (out, patchSize) : (patchSize, out)
    let kernel = MatrixKernel.current
    return weight.keptForm(
      .named(isTransposed ? "patches transposed" : "patches"), kernel: kernel,
      elementCount: PackedOperand.elementCount(inner: inner, columns: columns, kernel: kernel)
    ) { makePacked(weight, isTransposed: isTransposed) }
  }

  private static func makePacked(_ weight: Tensor, isTransposed: Bool) -> PackedOperand {
    let (out, patchSize) = (weight.shape[0], weight.count / weight.shape[0])
    return weight.transposed([0, 2, 3, 1]).withUnsafeElements { elements in
      let matrix = MatrixProducts.Matrix(elements.baseAddress!, width: patchSize)
      return isTransposed
        ? PackedOperand(matrix, inner: out, columns: patchSize)
        : PackedOperand(matrix.transposed, inner: patchSize, columns: out)
    }
  }

  /// `[B, H', W', out]` from x `[B, H, W, in]`.
  static func forward(
    _ x: Tensor, weight: Tensor, bias: Tensor?, geometry: ConvolutionGeometry
  ) -> Tensor {
    let out = weight.shape[0]
    let shape = geometry.outputShape(x.shape)
    let positions = shape.reduce(1, *)
    let patchSize = weight.count / out
    let kept = keptWeight(weight, isTransposed: false)
    if kept == nil && weight.count > MatrixProducts.maxTransientCount {
      return forwardPackingPanels(x, weight: weight, bias: bias, geometry: geometry)
    }
    let packed = kept ?? makePacked(weight, isTransposed: false)
    // A position's result does not depend on its block, so that blocks may follow the workers here.
    let fairShare =
      (positions / WorkerPool.shared.threadCount / blockGranularity + 1) * blockGranularity
    let block = min(blockPositionCount(patchSize: patchSize), fairShare)
    let sizes = geometry.sizes(x.shape)
    return Tensor(shape: shape + [out]) { result in
      x.withUnsafeElements { x in
        bias.withUnsafeElements { bias in
          WorkerPool.shared.forEach((positions + block - 1) / block) { index in
            let first = index * block
            let count = min(block, positions - first)
            let patches = TensorStorage(count: count * patchSize)
            withUnsafePointer(to: sizes) {
              attune_gather_patches($0, first, count, x.baseAddress!, patches.elements)
            }
            MatrixProducts.multiply(
              .init(patches.elements, width: patchSize), packed, rows: count, bias: bias,
              into: result.baseAddress! + first * out)
          }
        }
      }
    }
  }

  /// About 64 MB of patches, for weights that are larger than that.
  private static let maxPatchCount = 1 << 24

  /// As `forward`, for a weight too large to keep or copy: all patches are gathered first, so that
  /// each panel of the weight is packed once.
  private static func forwardPackingPanels(
    _ x: Tensor, weight: Tensor, bias: Tensor?, geometry: ConvolutionGeometry
  ) -> Tensor {
    let (out, channels) = (weight.shape[0], weight.shape[1])
    let shape = geometry.outputShape(x.shape)
    let positions = shape.reduce(1, *)
    let area = geometry.patchArea
    let patchSize = area * channels
    let block = min(positions, max(blockGranularity, maxPatchCount / patchSize))
    let sizes = geometry.sizes(x.shape)
    let patches = TensorStorage(count: block * patchSize)
    return Tensor(shape: shape + [out]) { result in
      x.withUnsafeElements { x in
        bias.withUnsafeElements { bias in
          weight.withUnsafeElements { weight in
            for first in stride(from: 0, to: positions, by: block) {
              let count = min(block, positions - first)
              Loops.overRows(count, width: patchSize) { range in
                withUnsafePointer(to: sizes) {
                  attune_gather_patches(
                    $0, first + range.lowerBound, range.count, x.baseAddress!,
                    patches.elements + range.lowerBound * patchSize)
                }
              }
              MatrixProducts.multiply(
                .init(patches.elements, width: patchSize), rows: count, inner: patchSize,
                columns: out, bias: bias, into: result.baseAddress! + first * out
              ) { first, packed in
                // A patch has all channels of one pixel, then of the next.
                for pixel in 0..<area {
                  var ofPixel = MatrixProducts.Matrix(weight.baseAddress! + pixel, width: area)
                  ofPixel.columnStride = patchSize
                  packed.pack(
                    ofPixel, rows: pixel * channels..<(pixel + 1) * channels, from: first)
                }
              }
            }
          }
        }
      }
    }
  }

  /// The gradient at x, of shape `inputShape`, from that at the result; also a transposed
  /// convolution.
  static func inputGradient(
    _ upstream: Tensor, weight: Tensor, inputShape: [Int], geometry: ConvolutionGeometry
  ) -> Tensor {
    let out = weight.shape[0]
    let patchSize = weight.count / out
    let packed = packedWeight(weight, isTransposed: true)
    let sizes = geometry.sizes(inputShape)
    let positions = sizes.out_height * sizes.out_width
    let block = blockPositionCount(patchSize: patchSize)
    var gradient = Tensor.zeros(inputShape)
    gradient.withUnsafeMutableElements { gradient in
      upstream.withUnsafeElements { upstream in
        // Images are independent; within one, neighbouring patches overlap.
        WorkerPool.shared.forEach(inputShape[0]) { item in
          let patches = TensorStorage(count: min(block, positions) * patchSize)
          for start in stride(from: 0, to: positions, by: block) {
            let first = item * positions + start
            let count = min(block, positions - start)
            MatrixProducts.multiply(
              .init(upstream.baseAddress! + first * out, width: out), packed, rows: count,
              into: patches.elements)
            withUnsafePointer(to: sizes) {
              attune_scatter_patches($0, first, count, patches.elements, gradient.baseAddress!)
            }
          }
        }
      }
    }
    return gradient
  }

  /// The gradient at the weight, `[out, in, kh, kw]`.
  static func weightGradient(
    _ x: Tensor, upstream: Tensor, weightShape: [Int], geometry: ConvolutionGeometry
  ) -> Tensor {
    let out = weightShape[0]
    let patchSize = weightShape.dropFirst().reduce(1, *)
    let positions = upstream.count / out
    let block = blockPositionCount(patchSize: patchSize)
    let sizes = geometry.sizes(x.shape)
    let patches = TensorStorage(count: min(block, positions) * patchSize)
    let sums = Tensor(
      shape: [out, weightShape[2], weightShape[3], weightShape[1]]
    ) { sums in
      x.withUnsafeElements { x in
        upstream.withUnsafeElements { upstream in
          for start in stride(from: 0, to: positions, by: block) {
            let count = min(block, positions - start)
            Loops.overRows(count, width: patchSize) { range in
              withUnsafePointer(to: sizes) {
                attune_gather_patches(
                  $0, start + range.lowerBound, range.count, x.baseAddress!,
                  patches.elements + range.lowerBound * patchSize)
              }
            }
            let packed = PackedOperand(
              .init(patches.elements, width: patchSize), inner: count, columns: patchSize)
            let gradients = MatrixProducts.Matrix(
              upstream.baseAddress! + start * out, width: out)
            MatrixProducts.multiply(
              gradients.transposed, packed, rows: out, into: sums.baseAddress!,
              accumulates: start > 0)
          }
        }
      }
    }
    return sums.transposed([0, 3, 1, 2])
  }
}
