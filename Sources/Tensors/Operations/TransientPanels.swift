import CKernels

/// Products with a right operand too large to keep or even to make a packed copy of: each worker
/// packs a few panels, uses them for all rows and forgets them.
extension MatrixProducts {
  /// Up to this size a packed copy is made for one product; it costs less than reading the left
  /// operand again for each panel.
  static let greatestTransientCount = 1 << 22
  /// Elements of panels in the second-level cache.
  private static let cachedCount = 1 << 18

  /// result `[rows, columns]` (+)= left `[rows, inner]` x right `[inner, columns]` + bias.
  static func multiply(
    _ left: Matrix, packing right: Matrix, rows: Int, inner: Int, columns: Int,
    bias: UnsafePointer<Float>? = nil, into result: UnsafeMutablePointer<Float>,
    accumulates: Bool = false, epilogue: Epilogue? = nil
  ) {
    multiply(
      left, rows: rows, inner: inner, columns: columns, bias: bias, into: result,
      accumulates: accumulates, epilogue: epilogue
    ) { first, count, panels in
      attune_pack_panels(
        inner, first, count, right.elements, right.rowStride, right.columnStride, panels)
    }
  }

  /// As above, with panels that `pack` writes.
  ///
  /// - Parameter pack: gets the first of some columns, their number, and room for their panels.
  static func multiply(
    _ left: Matrix, rows: Int, inner: Int, columns: Int, bias: UnsafePointer<Float>?,
    into result: UnsafeMutablePointer<Float>, accumulates: Bool = false,
    epilogue: Epilogue? = nil,
    pack: (_ first: Int, _ count: Int, _ panels: UnsafeMutablePointer<Float>) -> Void
  ) {
    let panels = panelCount(columns: columns)
    let fitting = cachedCount / (inner * panelWidth)
    let fairShare = panels / (2 * WorkerPool.shared.threadCount)
    let chunk = max(1, min(fitting, fairShare))
    WorkerPool.shared.forEach((panels + chunk - 1) / chunk) { index in
      let first = index * chunk * panelWidth
      let width = min(columns - first, chunk * panelWidth)
      let packed = TensorStorage(count: packedCount(inner: inner, columns: width))
      pack(first, width, packed.elements)
      for start in stride(from: 0, to: rows, by: epilogueRowCount) {
        let count = min(epilogueRowCount, rows - start)
        let target = result + start * columns + first
        attune_matrix_product(
          count, width, inner, left.elements + start * left.rowStride, left.rowStride,
          left.columnStride, packed.elements, 0, panelCount(columns: width),
          bias.map { $0 + first }, target, columns, accumulates)
        guard let epilogue else { continue }
        for row in 0..<count {
          let run = row * columns
          attune_unary(
            epilogue.kernel, width, target + run,
            epilogue.result + (start * columns + first) + run)
        }
      }
    }
  }
}
