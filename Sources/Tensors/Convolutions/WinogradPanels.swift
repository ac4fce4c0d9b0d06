import CKernels

/// Winograd's convolution with a weight whose transforms, four times its size, are not kept.
extension WinogradConvolution {
  /// Tiles whose transforms are kept at once: enough that transforming the weight for them is
  /// little work beside the products.
  private static let maxTileCount = 512

  /// As `forward`: each worker transforms a panel of the weight, uses it for all tiles and forgets
  /// it.
  static func forwardPackingPanels(_ x: Tensor, weight: Tensor, bias: Tensor?) -> Tensor {
    let (height, width, inner) = (x.shape[1], x.shape[2], x.shape[3])
    let columns = weight.shape[0]
    let tiles = tileCount(x.shape)
    let block = min(tiles, maxTileCount)
    let inputStride = positionStride(block * inner)
    let productStride = positionStride(block * columns)
    let inputs = TensorStorage(count: positions * inputStride)
    let products = TensorStorage(count: positions * productStride)
    return Tensor(shape: [x.shape[0], height, width, columns]) { result in
      x.withUnsafeElements { x in
        bias.withUnsafeElements { bias in
          for first in stride(from: 0, to: tiles, by: block) {
            let count = min(block, tiles - first)
            Loops.overRows(count, width: positions * inner) { range in
              attune_winograd_input(
                height, width, inner, first + range.lowerBound, range.count, x.baseAddress!,
                inputs.elements + range.lowerBound * inner, inputStride)
            }
            WorkerPool.shared.forEach(PackedOperand.panelCount(columns: columns)) { panel in
              multiply(
                inputs.elements, inputStride, by: weight, panel: panel, rows: count,
                into: products.elements, productStride)
            }
            Loops.overRows(count, width: positions * columns) { range in
              attune_winograd_output(
                height, width, columns, first + range.lowerBound, range.count,
                products.elements + range.lowerBound * columns, productStride, bias,
                result.baseAddress!)
            }
          }
        }
      }
    }
  }

  /// The 36 products of all tiles with one panel of the weight.
  private static func multiply(
    _ inputs: UnsafePointer<Float>, _ inputStride: Int, by weight: Tensor, panel: Int, rows: Int,
    into products: UnsafeMutablePointer<Float>, _ productStride: Int
  ) {
    let (columns, inner) = (weight.shape[0], weight.shape[1])
    let first = panel * PackedOperand.panelWidth
    let width = min(PackedOperand.panelWidth, columns - first)
    let transformed = TensorStorage(count: positions * inner * width)
    weight.withUnsafeElements { elements in
      attune_winograd_weights(
        inner, width, 0, inner, elements.baseAddress! + first * inner * 9, 9, inner * 9, false,
        transformed.elements)
    }
    let packed = PackedOperand(
      stack: transformed, inner: inner, columns: width, matrixCount: positions)
    for position in 0..<positions {
      packed.multiply(
        .init(inputs + position * inputStride, width: inner), rows: rows, at: position,
        into: products + position * productStride + first, stride: columns)
    }
  }
}
