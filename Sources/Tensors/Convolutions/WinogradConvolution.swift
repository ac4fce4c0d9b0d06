import CKernels

/// 3x3 convolutions of stride 1 by Winograd's F(4x4, 3x3): 36 small products for each 4x4 tile of
/// results instead of 144.
enum WinogradConvolution {
  static let positions = Int(attune_winograd_positions)
  private static let tileSize = Int(attune_winograd_tile)

  static func tileCount(_ shape: [Int]) -> Int {
    shape[0] * ((shape[1] + tileSize - 1) / tileSize) * ((shape[2] + tileSize - 1) / tileSize)
  }

  /// What is left free behind one position's block, which is kept off a power of two so that the 36
  /// do not share cache sets.
  private static let spacing = 16

  static func positionStride(_ count: Int) -> Int { count + spacing }

  /// What multiplies at the 36 positions.
  private static var kernel: MatrixKernel { ProductArithmetic.current.winogradKernel }

  /// Tiles whose 36 inputs and results fit the second-level cache together.
  private static func blockTileCount(channels: Int, tiles: Int, kernel: MatrixKernel) -> Int {
    let unit = kernel.rowUnit
    let fitting = (1 << 18) / (positions * channels)
    let block = max(unit, min(8 * unit, fitting / unit * unit))
    let fairShare = (tiles + WorkerPool.shared.threadCount - 1) / WorkerPool.shared.threadCount
    return max(1, min(block, fairShare))
  }

  /// 36 right operands `[in, out]`, one after the other, if there is room to keep them; `isRotated`
  /// gives those of the gradient at the input, `[out, in]`.
  private static func keptWeight(_ weight: Tensor, isRotated: Bool) -> PackedOperand? {
    let (out, inputs) = (weight.shape[0], weight.shape[1])
    let kernel = kernel
    let size = PackedOperand.elementCount(
      inner: isRotated ? out : inputs, columns: isRotated ? inputs : out, kernel: kernel)
    return weight.keptForm(
      .named(isRotated ? "winograd rotated" : "winograd"), kernel: kernel,
      elementCount: positions * size
    ) { makePacked(weight, isRotated: isRotated) }
  }

  private static func makePacked(_ weight: Tensor, isRotated: Bool) -> PackedOperand {
    let (out, inputs) = (weight.shape[0], weight.shape[1])
    let (inner, columns) = isRotated ? (out, inputs) : (inputs, out)
    let (innerStride, columnStride) = isRotated ? (inputs * 9, 9) : (9, inputs * 9)
    let packed = PackedOperand(
      inner: inner, columns: columns, matrixCount: positions, kernel: kernel)
    let transformed = TensorStorage(count: positions * inner * columns)
    weight.withUnsafeElements { elements in
      Loops.overRows(inner, width: positions * columns) { rows in
        attune_winograd_weights(
          inner, columns, rows.lowerBound, rows.count, elements.baseAddress!, innerStride,
          columnStride, isRotated, transformed.elements)
      }
    }
    WorkerPool.shared.forEach(positions) { position in
      packed.packRowMajor(transformed.elements + position * inner * columns, at: position)
    }
    return packed
  }

  /// `[B, H, W, out]` from x `[B, H, W, in]` and a weight `[out, in, 3, 3]`.
  static func forward(_ x: Tensor, weight: Tensor, bias: Tensor?) -> Tensor {
    guard let packed = keptWeight(weight, isRotated: false) else {
      return forwardPackingPanels(x, weight: weight, bias: bias)
    }
    return convolve(x, by: packed, bias: bias)
  }

  /// The gradient at x from that at the result: a convolution with the rotated kernels.
  static func inputGradient(_ upstream: Tensor, weight: Tensor) -> Tensor {
    let packed =
      keptWeight(weight, isRotated: true) ?? makePacked(weight, isRotated: true)
    return convolve(upstream, by: packed, bias: nil)
  }

  private static func convolve(_ x: Tensor, by packed: PackedOperand, bias: Tensor?) -> Tensor {
    let (height, width) = (x.shape[1], x.shape[2])
    let (inner, columns) = (packed.inner, packed.columns)
    let tiles = tileCount(x.shape)
    let block = blockTileCount(channels: inner + columns, tiles: tiles, kernel: packed.kernel)
    return Tensor(shape: [x.shape[0], height, width, columns]) { result in
      x.withUnsafeElements { x in
        bias.withUnsafeElements { bias in
          WorkerPool.shared.forEach((tiles + block - 1) / block) { index in
            let first = index * block
            let count = min(block, tiles - first)
            let inputStride = positionStride(count * inner)
            let productStride = positionStride(count * columns)
            let inputs = TensorStorage(count: positions * inputStride)
            let products = TensorStorage(count: positions * productStride)
            attune_winograd_input(
              height, width, inner, first, count, x.baseAddress!, inputs.elements, inputStride)
            for position in 0..<positions {
              packed.multiply(
                .init(inputs.elements + position * inputStride, width: inner), rows: count,
                at: position, into: products.elements + position * productStride,
                stride: columns)
            }
            attune_winograd_output(
              height, width, columns, first, count, products.elements, productStride, bias,
              result.baseAddress!)
          }
        }
      }
    }
  }

  /// Tiles whose transforms are kept at once for a weight's gradient; fixed by the sizes alone,
  /// since it is the order of summation.
  private static func gradientTileCount(channels: Int) -> Int {
    max(56, min(448, (1 << 22) / (positions * channels) / 56 * 56))
  }

  /// Room for the transformed gradients of some tiles, `[tiles, columns]` at each position, in 32-bit
  /// floats as the transform writes them.
  private static func gradientOperand(
    tiles: Int, columns: Int, kernel: MatrixKernel
  ) -> PackedOperand {
    let operand = PackedOperand(
      inner: tiles, columns: columns, matrixCount: positions, spacing: spacing,
      kernel: kernel.readsFloats ? kernel : .float32)
    // The transform leaves what is unused of the last panel alone.
    if !columns.isMultiple(of: PackedOperand.panelWidth) { operand.clear() }
    return operand
  }

  /// The gradient at the weight, `[out, in, 3, 3]`.
  static func weightGradient(_ x: Tensor, upstream: Tensor) -> Tensor {
    let (height, width, inner) = (x.shape[1], x.shape[2], x.shape[3])
    let columns = upstream.shape[3]
    let tiles = tileCount(x.shape)
    let block = min(tiles, gradientTileCount(channels: inner + columns))
    let inputStride = positionStride(block * inner)
    let inputs = TensorStorage(count: positions * inputStride)
    let kernel = kernel
    var gradients = gradientOperand(tiles: block, columns: columns, kernel: kernel)
    let sums = TensorStorage(count: positions * inner * columns)
    x.withUnsafeElements { x in
      upstream.withUnsafeElements { upstream in
        for start in stride(from: 0, to: tiles, by: block) {
          let count = min(block, tiles - start)
          if count < block {
            gradients = gradientOperand(tiles: count, columns: columns, kernel: kernel)
          }
          Loops.overRows(count, width: positions * (inner + columns)) { [gradients] range in
            attune_winograd_input(
              height, width, inner, start + range.lowerBound, range.count, x.baseAddress!,
              inputs.elements + range.lowerBound * inner, inputStride)
            gradients.withPanels { panels, stride in
              attune_winograd_output_gradient(
                height, width, columns, start + range.lowerBound, range.count,
                upstream.baseAddress!, count,
                panels + range.lowerBound * PackedOperand.panelWidth, stride)
            }
          }
          WorkerPool.shared.forEach(positions) { [gradients] position in
            let (operand, index) =
              gradients.kernel == kernel
              ? (gradients, position) : (gradients.repacked(at: position, for: kernel), 0)
            operand.multiply(
              MatrixProducts.Matrix(inputs.elements + position * inputStride, width: inner)
                .transposed,
              rows: inner, at: index, into: sums.elements + position * inner * columns,
              stride: columns, accumulates: start > 0)
          }
        }
      }
    }
    return Tensor(shape: [columns, inner, 3, 3]) { result in
      Loops.overRows(inner, width: positions * columns) { rows in
        attune_winograd_weight_gradient(
          inner, columns, rows.lowerBound, rows.count, sums.elements, result.baseAddress!)
      }
    }
  }
}

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
      stack: transformed, inner: inner, columns: width, matrixCount: positions, kernel: kernel)
    for position in 0..<positions {
      packed.multiply(
        .init(inputs + position * inputStride, width: inner), rows: rows, at: position,
        into: products + position * productStride + first, stride: columns)
    }
  }
}
