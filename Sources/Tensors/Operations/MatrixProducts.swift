import CKernels

/// Products of strided matrices with packed operands, spread over the worker pool.
enum MatrixProducts {
  /// A matrix as it lies in memory.
  struct Matrix {
    var elements: UnsafePointer<Float>
    var rowStride: Int
    var columnStride: Int

    /// A row-major matrix of the given width.
    init(_ elements: UnsafePointer<Float>, width: Int) {
      self.elements = elements
      rowStride = width
      columnStride = 1
    }

    /// The matrix from a row on.
    func fromRow(_ row: Int) -> Matrix {
      var result = self
      result.elements += row * rowStride
      return result
    }

    /// The same memory with rows and columns exchanged.
    var transposed: Matrix {
      var result = self
      result.rowStride = columnStride
      result.columnStride = rowStride
      return result
    }
  }

  /// A block of rows that one thread should take at least, so that tiles stay full.
  private static func rowGranularity(_ kernel: MatrixKernel) -> Int { 2 * kernel.rowUnit }

  /// An activation applied to a product while it is in cache, and where its values go.
  struct Epilogue {
    var kernel: attune_unary_kind
    var result: UnsafeMutablePointer<Float>
  }

  /// Rows whose results are still in cache when the epilogue reads them.
  static func epilogueRowCount(_ kernel: MatrixKernel) -> Int { 12 * kernel.rowUnit }

  /// result `[rows, columns]` (+)= left `[rows, inner]` x right `[inner, columns]` + bias.
  static func multiply(
    _ left: Matrix, _ right: PackedOperand, rows: Int, bias: UnsafePointer<Float>? = nil,
    into result: UnsafeMutablePointer<Float>, accumulates: Bool = false, epilogue: Epilogue? = nil
  ) {
    let (inner, columns, panels) = (right.inner, right.columns, right.panelCount)
    let (granularity, epilogueRowCount) = (
      rowGranularity(right.kernel), epilogueRowCount(right.kernel)
    )
    func multiply(_ rowRange: Range<Int>, _ panelRange: Range<Int>) {
      right.multiply(
        left.fromRow(rowRange.lowerBound), rows: rowRange.count, panels: panelRange, bias: bias,
        into: result + rowRange.lowerBound * columns, stride: columns, accumulates: accumulates)
    }
    func multiplyAndFinish(_ rowRange: Range<Int>, _ panelRange: Range<Int>) {
      guard let epilogue else { return multiply(rowRange, panelRange) }
      let first = panelRange.lowerBound * PackedOperand.panelWidth
      let width = min(columns, panelRange.upperBound * PackedOperand.panelWidth) - first
      for start in stride(from: rowRange.lowerBound, to: rowRange.upperBound, by: epilogueRowCount)
      {
        let rows = start..<min(start + epilogueRowCount, rowRange.upperBound)
        multiply(rows, panelRange)
        if width == columns {
          let block = start * columns
          attune_unary(
            epilogue.kernel, rows.count * columns, result + block, epilogue.result + block)
        } else {
          for row in rows {
            let run = row * columns + first
            attune_unary(epilogue.kernel, width, result + run, epilogue.result + run)
          }
        }
      }
    }
    let workers = WorkerPool.shared.threadCount
    if rows * columns * inner < 1 << 18 {
      multiplyAndFinish(0..<rows, 0..<panels)
    } else if panels >= 2 * workers && rows < granularity * 6 * workers {
      WorkerPool.shared.forEachRange(panels) { multiplyAndFinish(0..<rows, $0) }
    } else {
      WorkerPool.shared.forEachRange(rows, granularity: granularity) {
        multiplyAndFinish($0, 0..<panels)
      }
    }
  }
}

extension Tensor {
  /// The matrix product over the last two dimensions, with NumPy's rules for the outer ones: a
  /// right operand of rank 2 serves all of them, otherwise they must be equal.
  public func matmul(_ other: Tensor) -> Tensor {
    precondition(
      rank >= 2 && other.rank >= 2 && size(-1) == other.size(-2),
      "matmul: shapes \(shape) and \(other.shape) do not fit")
    if other.rank == 2 { return matmulShared(other) }
    precondition(
      shape.dropLast(2) == other.shape.dropLast(2),
      "matmul: shapes \(shape) and \(other.shape) differ in their outer dimensions")
    return Tensor.batchedProduct(
      .init(tensor: self, isTransposed: false), .init(tensor: other, isTransposed: false))
  }

  private func matmulShared(_ other: Tensor) -> Tensor {
    let (a, b) = (detached(), other.detached())
    let result = a.multiplied(by: b, .asStored)
    // Each operand is needed for the other's gradient alone.
    let (keptA, keptB) = (other.node == nil ? nil : a, node == nil ? nil : b)
    let otherShape = b.shape
    return result.recorded(from: self, other) { [node, otherNode = other.node] up, accumulator in
      if let keptB { accumulator.add(up.multiplied(by: keptB, .transposed), to: node) }
      guard let keptA else { return }
      accumulator.accumulate(into: otherNode, shape: otherShape) { gradient, accumulates in
        Tensor.accumulateOuterProducts(keptA, up, into: gradient, accumulates: accumulates)
      }
    }
  }

  /// The product `[..., columns]` with a matrix as it is stored or with its transpose. Not
  /// recorded.
  func multiplied(by matrix: Tensor, _ form: PackedForms.Form) -> Tensor {
    let isTransposed = form == .transposed
    let columns = isTransposed ? matrix.shape[0] : matrix.shape[1]
    return Tensor(shape: shape.dropLast() + [columns]) { result in
      guard !result.isEmpty else { return }
      let packed = matrix.packed(form)
      withUnsafeElements { elements in
        MatrixProducts.multiply(
          .init(elements.baseAddress ?? UnsafePointer(result.baseAddress!), width: packed.inner),
          packed, rows: result.count / columns, into: result.baseAddress!)
      }
    }
  }

  /// result `[I, J]` (+)= sum over rows of a `[..., I]` and b `[..., J]`: a weight's gradient.
  static func accumulateOuterProducts(
    _ a: Tensor, _ b: Tensor, into result: UnsafeMutablePointer<Float>, accumulates: Bool
  ) {
    // Not by dividing counts: without rows there is still a gradient to set to zero.
    let (rows, i, j) = (a.shape.dropLast().reduce(1, *), a.size(-1), b.size(-1))
    a.withUnsafeElements { a in
      b.withUnsafeElements { b in
        let packed = PackedOperand(.init(b.baseAddress!, width: j), inner: rows, columns: j)
        MatrixProducts.multiply(
          MatrixProducts.Matrix(a.baseAddress!, width: i).transposed, packed, rows: i,
          into: result, accumulates: accumulates)
      }
    }
  }

  /// This matrix as a right operand.
  func packed(_ form: PackedForms.Form) -> PackedOperand {
    keptPacked(form) ?? makePacked(form)
  }

  /// This matrix as a right operand that is kept with it; nil where there is no room to keep it.
  func keptPacked(_ form: PackedForms.Form) -> PackedOperand? {
    let (inner, columns) = form == .transposed ? (shape[1], shape[0]) : (shape[0], shape[1])
    let kernel = MatrixKernel.current
    return keptForm(
      form, kernel: kernel,
      elementCount: PackedOperand.elementCount(inner: inner, columns: columns, kernel: kernel)
    ) { makePacked(form) }
  }

  private func makePacked(_ form: PackedForms.Form) -> PackedOperand {
    let (rows, columns) = (shape[0], shape[1])
    return withUnsafeElements { elements in
      let matrix = MatrixProducts.Matrix(elements.baseAddress!, width: columns)
      return form == .transposed
        ? PackedOperand(matrix.transposed, inner: columns, columns: rows)
        : PackedOperand(matrix, inner: rows, columns: columns)
    }
  }

  /// An arrangement of a weight that is kept with it, if there is room for it: not with a slice,
  /// whose storage others share.
  func keptForm(
    _ form: PackedForms.Form, kernel: MatrixKernel, elementCount: Int,
    make: () -> PackedOperand
  ) -> PackedOperand? {
    guard offset == 0, storage.count == count else { return nil }
    return storage.packedForms.form(
      form, shape: shape, kernel: kernel, elementCount: elementCount, make: make)
  }

  /// A stack of matrices, read as it lies or transposed.
  private struct Operand {
    var tensor: Tensor
    var isTransposed: Bool
    var rows: Int { isTransposed ? tensor.size(-1) : tensor.size(-2) }
    var columns: Int { isTransposed ? tensor.size(-2) : tensor.size(-1) }
    var transposed: Operand { Operand(tensor: tensor, isTransposed: !isTransposed) }
    var detached: Operand { Operand(tensor: tensor.detached(), isTransposed: isTransposed) }

    func matrix(_ elements: UnsafePointer<Float>, index: Int) -> MatrixProducts.Matrix {
      let matrix = MatrixProducts.Matrix(
        elements + index * rows * columns, width: tensor.size(-1))
      return isTransposed ? matrix.transposed : matrix
    }
  }

  private static func batchedProduct(_ a: Operand, _ b: Operand) -> Tensor {
    let outer = Array(a.tensor.shape.dropLast(2))
    let (rows, inner, columns) = (a.rows, a.columns, b.columns)
    let result = Tensor(shape: outer + [rows, columns]) { result in
      guard !result.isEmpty else { return }
      a.tensor.withUnsafeElements { left in
        b.tensor.withUnsafeElements { right in
          WorkerPool.shared.forEach(outer.reduce(1, *)) { index in
            guard inner > 0 else {
              for position in 0..<(rows * columns) {
                result[index * rows * columns + position] = 0
              }
              return
            }
            let packed = PackedOperand(
              b.matrix(right.baseAddress!, index: index), inner: inner, columns: columns)
            MatrixProducts.multiply(
              a.matrix(left.baseAddress!, index: index), packed, rows: rows,
              into: result.baseAddress! + index * rows * columns)
          }
        }
      }
    }
    // Each operand is needed for the other's gradient alone.
    let keptA = b.tensor.node == nil ? nil : a.detached
    let keptB = a.tensor.node == nil ? nil : b.detached
    let (nodeA, nodeB) = (a.tensor.node, b.tensor.node)
    return result.recorded(from: a.tensor, b.tensor) { upstream, accumulator in
      let up = Operand(tensor: upstream, isTransposed: false)
      if let keptB { accumulator.add(batchedProduct(up, keptB.transposed), to: nodeA) }
      if let keptA { accumulator.add(batchedProduct(keptA.transposed, up), to: nodeB) }
    }
  }
}
