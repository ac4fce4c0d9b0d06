import CKernels

/// Products with a right operand too large to keep or even to make a packed copy of: each worker
/// packs a few panels, uses them for all rows and forgets them.
extension MatrixProducts {
  /// Up to this size a packed copy is made for one product; it costs less than reading the left
  /// operand again for each panel.
  static let maxTransientCount = 1 << 22
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
    ) { first, packed in packed.pack(right, columns: 0..<packed.columns, from: first) }
  }

  /// As above, with parts of the operand that `pack` writes.
  ///
  /// - Parameter pack: gets the first of some columns, and room for them.
  static func multiply(
    _ left: Matrix, rows: Int, inner: Int, columns: Int, bias: UnsafePointer<Float>?,
    into result: UnsafeMutablePointer<Float>, accumulates: Bool = false,
    epilogue: Epilogue? = nil,
    pack: (_ first: Int, _ operand: PackedOperand) -> Void
  ) {
    let panels = PackedOperand.panelCount(columns: columns)
    let fitting = cachedCount / (inner * PackedOperand.panelWidth)
    let fairShare = panels / (2 * WorkerPool.shared.threadCount)
    let chunk = max(1, min(fitting, fairShare))
    let kernel = MatrixKernel.current
    let epilogueRowCount = epilogueRowCount(kernel)
    WorkerPool.shared.forEach((panels + chunk - 1) / chunk) { index in
      let first = index * chunk * PackedOperand.panelWidth
      let width = min(columns - first, chunk * PackedOperand.panelWidth)
      let packed = PackedOperand(inner: inner, columns: width, kernel: kernel)
      pack(first, packed)
      for start in stride(from: 0, to: rows, by: epilogueRowCount) {
        let count = min(epilogueRowCount, rows - start)
        let target = result + start * columns + first
        packed.multiply(
          left.fromRow(start), rows: count, bias: bias.map { $0 + first }, into: target,
          stride: columns, accumulates: accumulates)
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
