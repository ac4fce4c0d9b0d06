import CKernels

/// 3x3 convolutions of stride 1 by Winograd's F(4x4, 3x3): 36 small products for each 4x4 tile of
/// results instead of 144.
enum WinogradConvolution {
  static let positions = Int(attune_winograd_positions)
  private static let tileSize = Int(attune_winograd_tile)

  static func tileCount(_ shape: [Int]) -> Int {
    shape[0] * ((shape[1] + tileSize - 1) / tileSize) * ((shape[2] + tileSize - 1) / tileSize)
  }

  /// One position's block, kept off a power of two so that the 36 do not share cache sets.
  static func positionStride(_ count: Int) -> Int { count + 16 }

  /// Tiles whose 36 inputs and results fit the second-level cache together.
  private static func blockTileCount(channels: Int, tiles: Int) -> Int {
    let fitting = (1 << 18) / (positions * channels)
    let block = max(14, min(112, fitting / 14 * 14))
    let fairShare = (tiles + WorkerPool.shared.threadCount - 1) / WorkerPool.shared.threadCount
    return max(1, min(block, fairShare))
  }

  /// 36 right operands `[in, out]`, one after the other, if there is room to keep them; `isRotated`
  /// gives those of the gradient at the input, `[out, in]`.
  private static func keptWeight(_ weight: Tensor, isRotated: Bool) -> TensorStorage? {
    let (out, inputs) = (weight.shape[0], weight.shape[1])
    let size = MatrixProducts.packedCount(
      inner: isRotated ? out : inputs, columns: isRotated ? inputs : out)
    return weight.keptForm(
      .named(isRotated ? "winograd rotated" : "winograd"), elementCount: positions * size
    ) { makePacked(weight, isRotated: isRotated) }
  }

  private static func makePacked(_ weight: Tensor, isRotated: Bool) -> TensorStorage {
    let (out, inputs) = (weight.shape[0], weight.shape[1])
    let (inner, columns) = isRotated ? (out, inputs) : (inputs, out)
    let (innerStride, columnStride) = isRotated ? (inputs * 9, 9) : (9, inputs * 9)
    let size = MatrixProducts.packedCount(inner: inner, columns: columns)
    let packed = TensorStorage(count: positions * size)
    let transformed = TensorStorage(count: positions * inner * columns)
    weight.withUnsafeElements { elements in
      Loops.overRows(inner, width: positions * columns) { rows in
        attune_winograd_weights(
          inner, columns, rows.lowerBound, rows.count, elements.baseAddress!, innerStride,
          columnStride, isRotated, transformed.elements)
      }
    }
    WorkerPool.shared.forEach(positions) { position in
      attune_pack_panels(
        inner, 0, columns, transformed.elements + position * inner * columns, columns, 1,
        packed.elements + position * size)
    }
    return packed
  }

  /// `[B, H, W, out]` from x `[B, H, W, in]` and a weight `[out, in, 3, 3]`.
  static func forward(_ x: Tensor, weight: Tensor, bias: Tensor?) -> Tensor {
    guard let packed = keptWeight(weight, isRotated: false) else {
      return forwardPackingPanels(x, weight: weight, bias: bias)
    }
    return convolve(x, packed: packed, columns: weight.shape[0], bias: bias)
  }

  /// The gradient at x from that at the result: a convolution with the rotated kernels.
  static func inputGradient(_ upstream: Tensor, weight: Tensor) -> Tensor {
    let packed =
      keptWeight(weight, isRotated: true) ?? makePacked(weight, isRotated: true)
    return convolve(upstream, packed: packed, columns: weight.shape[1], bias: nil)
  }

  private static func convolve(
    _ x: Tensor, packed: TensorStorage, columns: Int, bias: Tensor?
  ) -> Tensor {
    let (height, width, inner) = (x.shape[1], x.shape[2], x.shape[3])
    let tiles = tileCount(x.shape)
    let block = blockTileCount(channels: inner + columns, tiles: tiles)
    let packedSize = MatrixProducts.packedCount(inner: inner, columns: columns)
    let panels = MatrixProducts.panelCount(columns: columns)
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
              attune_matrix_product(
                count, columns, inner, inputs.elements + position * inputStride, inner, 1,
                packed.elements + position * packedSize, 0, panels, nil,
                products.elements + position * productStride, columns, false)
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

  /// The gradient at the weight, `[out, in, 3, 3]`.
  static func weightGradient(_ x: Tensor, upstream: Tensor) -> Tensor {
    let (height, width, inner) = (x.shape[1], x.shape[2], x.shape[3])
    let columns = upstream.shape[3]
    let tiles = tileCount(x.shape)
    let block = min(tiles, gradientTileCount(channels: inner + columns))
    let inputStride = positionStride(block * inner)
    let upstreamStride = positionStride(
      MatrixProducts.packedCount(inner: block, columns: columns))
    let inputs = TensorStorage(count: positions * inputStride)
    let gradients = TensorStorage(count: positions * upstreamStride)
    if columns % 32 != 0 {
      // The transform leaves the unused half of the last panel alone.
      gradients.elements.update(repeating: 0, count: gradients.count)
    }
    let sums = TensorStorage(count: positions * inner * columns)
    let panels = MatrixProducts.panelCount(columns: columns)
    x.withUnsafeElements { x in
      upstream.withUnsafeElements { upstream in
        for start in stride(from: 0, to: tiles, by: block) {
          let count = min(block, tiles - start)
          Loops.overRows(count, width: positions * (inner + columns)) { range in
            attune_winograd_input(
              height, width, inner, start + range.lowerBound, range.count, x.baseAddress!,
              inputs.elements + range.lowerBound * inner, inputStride)
            attune_winograd_output_gradient(
              height, width, columns, start + range.lowerBound, range.count,
              upstream.baseAddress!, count, gradients.elements + range.lowerBound * 32,
              upstreamStride)
          }
          WorkerPool.shared.forEach(positions) { position in
            attune_matrix_product(
              inner, columns, count, inputs.elements + position * inputStride, 1, inner,
              gradients.elements + position * upstreamStride, 0, panels, nil,
              sums.elements + position * inner * columns, columns, start > 0)
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
