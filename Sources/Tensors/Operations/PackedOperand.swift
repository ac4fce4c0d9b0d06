import CKernels
import Synchronization

/// The right operand of products, arranged as the kernel reads it.
///
/// Whoever multiplies knows its sizes; how its elements lie is known here alone, where operands are
/// made and read, so that another arrangement (another precision, wider vectors) changes this file
/// and its kernel.
struct PackedOperand: Sendable {
  /// What reads it, which decides how its elements lie.
  let kernel: MatrixKernel
  /// Matrices, one behind the other: all positions of a Winograd convolution, else one.
  let matrixCount: Int
  /// Rows of each.
  let inner: Int
  /// Columns of each.
  let columns: Int
  private let matrixStride: Int
  private let storage: TensorStorage

  /// Room for matrices `[inner, columns]`.
  ///
  /// - Parameter spacing: elements left free behind each matrix, which keep those of a stack out of
  ///   one another's cache sets.
  init(
    inner: Int, columns: Int, matrixCount: Int = 1, spacing: Int = 0,
    kernel: MatrixKernel = .current
  ) {
    let size = Self.elementCount(inner: inner, columns: columns, kernel: kernel)
    self.init(
      inner: inner, columns: columns, matrixCount: matrixCount, matrixStride: size + spacing,
      kernel: kernel, storage: TensorStorage(count: matrixCount * (size + spacing)))
  }

  private init(
    inner: Int, columns: Int, matrixCount: Int, matrixStride: Int, kernel: MatrixKernel,
    storage: TensorStorage
  ) {
    self.kernel = kernel
    self.inner = inner
    self.columns = columns
    self.matrixCount = matrixCount
    self.matrixStride = matrixStride
    self.storage = storage
  }

  /// A matrix `[inner, columns]`, packed by all workers.
  init(
    _ matrix: MatrixProducts.Matrix, inner: Int, columns: Int, kernel: MatrixKernel = .current
  ) {
    self.init(inner: inner, columns: columns, kernel: kernel)
    Loops.overRows(panelCount, width: inner * Self.panelWidth) { panels in
      pack(
        matrix,
        columns: panels.lowerBound
          * Self.panelWidth..<min(
            columns, panels.upperBound * Self.panelWidth))
    }
  }

  /// A stack of row-major matrices `[matrixCount, inner, columns]`, which is read as it lies where
  /// a matrix is one whole panel of 32-bit floats.
  init(
    stack: TensorStorage, inner: Int, columns: Int, matrixCount: Int,
    kernel: MatrixKernel = .current
  ) {
    if kernel.readsFloats, columns == Self.panelWidth {
      self.init(
        inner: inner, columns: columns, matrixCount: matrixCount, matrixStride: inner * columns,
        kernel: kernel, storage: stack)
      return
    }
    self.init(inner: inner, columns: columns, matrixCount: matrixCount, kernel: kernel)
    for index in 0..<matrixCount {
      packRowMajor(stack.elements + index * inner * columns, at: index)
    }
  }

  // MARK: Sizes

  /// Columns that are multiplied together; parts of a product begin at multiples of it.
  static let panelWidth = Int(attune_panel_width)

  static func panelCount(columns: Int) -> Int { (columns + panelWidth - 1) / panelWidth }

  /// Elements, of the size of a 32-bit float, that a packed matrix takes.
  static func elementCount(
    inner: Int, columns: Int, kernel: MatrixKernel = .current
  ) -> Int {
    attune_packed_size(kernel.number, inner, columns)
  }

  var panelCount: Int { Self.panelCount(columns: columns) }
  /// Elements in memory, what is left free included.
  var elementCount: Int { storage.count }

  // MARK: Packing

  /// Packs all of a row-major matrix `[inner, columns]`.
  func packRowMajor(_ elements: UnsafePointer<Float>, at index: Int) {
    pack(.init(elements, width: columns), columns: 0..<columns, at: index)
  }

  /// Packs some columns of a matrix, the first of which begins a panel.
  ///
  /// - Parameters:
  ///   - matrix: `[inner, *]`.
  ///   - range: columns of this operand.
  ///   - first: the column of the matrix that comes first; that of the range if nil.
  ///   - index: which matrix of the operand.
  func pack(
    _ matrix: MatrixProducts.Matrix, columns range: Range<Int>, from first: Int? = nil,
    at index: Int = 0
  ) {
    attune_pack_panels(
      kernel.number, inner, 0, inner, first ?? range.lowerBound, range.count, matrix.elements,
      matrix.rowStride, matrix.columnStride, panel(range.lowerBound / Self.panelWidth, at: index))
  }

  /// Packs some rows of all columns.
  ///
  /// - Parameters:
  ///   - matrix: `[rows, *]`.
  ///   - rows: rows of this operand.
  ///   - first: the column of the matrix that comes first.
  func pack(_ matrix: MatrixProducts.Matrix, rows: Range<Int>, from first: Int) {
    attune_pack_panels(
      kernel.number, inner, rows.lowerBound, rows.count, first, columns, matrix.elements,
      matrix.rowStride, matrix.columnStride, panel(0, at: 0))
  }

  /// For kernels whose results are packed operands of 32-bit floats: the first element, and the
  /// elements from a matrix to the next. Columns that fill up the last panel must be zero.
  func withPanels(_ body: (_ elements: UnsafeMutablePointer<Float>, _ stride: Int) -> Void) {
    precondition(kernel.readsFloats, "panels of \(kernel) are not of 32-bit floats")
    body(storage.elements, matrixStride)
  }

  /// Sets everything to zero.
  func clear() { storage.elements.update(repeating: 0, count: storage.count) }

  /// One of its matrices, of 32-bit floats in panels, as another kernel reads it.
  func repacked(at index: Int, for kernel: MatrixKernel) -> PackedOperand {
    precondition(self.kernel.readsFloats, "panels of \(self.kernel) are not of 32-bit floats")
    let result = PackedOperand(inner: inner, columns: columns, kernel: kernel)
    for number in 0..<panelCount {
      let first = number * Self.panelWidth
      let elements = MatrixProducts.Matrix(panel(number, at: index), width: Self.panelWidth)
      result.pack(elements, columns: first..<min(columns, first + Self.panelWidth), from: 0)
    }
    return result
  }

  private func element(_ index: Int) -> UnsafeMutablePointer<Float> {
    storage.elements + index * matrixStride
  }

  /// The first element of a panel.
  private func panel(_ number: Int, at index: Int) -> UnsafeMutablePointer<Float> {
    element(index)
      + number * Self.elementCount(inner: inner, columns: Self.panelWidth, kernel: kernel)
  }

  // MARK: Multiplying

  /// result `[rows, columns]` (+)= left `[rows, inner]` x this + bias, on the calling thread.
  ///
  /// - Parameters:
  ///   - left: its rows.
  ///   - rows: their number.
  ///   - index: which matrix of the operand.
  ///   - panels: which; all of them if nil.
  ///   - bias: one for each column, or nil.
  ///   - result: the first row's first column.
  ///   - stride: from a row of the result to the next.
  ///   - accumulates: whether the product is added to what the result holds.
  func multiply(
    _ left: MatrixProducts.Matrix, rows: Int, at index: Int = 0, panels: Range<Int>? = nil,
    bias: UnsafePointer<Float>? = nil, into result: UnsafeMutablePointer<Float>, stride: Int,
    accumulates: Bool = false
  ) {
    let panels = panels ?? 0..<panelCount
    attune_matrix_product(
      kernel.number, rows, columns, inner, left.elements, left.rowStride, left.columnStride,
      element(index),
      panels.lowerBound, panels.count, bias, result, stride, accumulates)
  }
}

/// The arrangements of one matrix that products have asked for, kept as long as the matrix itself.
///
/// A network's weight is packed once after each optimizer step, whatever number of shards and calls
/// then use it. There is a limit to what all matrices keep: a network of gigabytes is not held
/// twice, its products pack what they need as they go, with the same results.
final class PackedForms: Sendable {
  /// How a matrix is arranged for a product.
  enum Form: Hashable {
    /// `[inner, columns]` read as it lies: for `x.matmul(w)`.
    case asStored
    /// Transposed: for `x.matmul(w, transposed: true)`, a linear layer's `[out, in]` weight.
    case transposed
    /// Any other arrangement, by its owner's name.
    case named(String)
  }

  /// Tensors of several shapes may share the storage that these forms belong to.
  private struct Key: Hashable {
    var form: Form
    var shape: [Int]
    var kernel: MatrixKernel
  }

  /// The maximum number of bytes that the forms of all matrices take together.
  static let keptByteLimit = 256 << 20
  private static let keptByteCount = Atomic<Int>(0)

  private let forms = Mutex<[Key: PackedOperand]>([:])

  deinit { removeAll() }

  /// A form that is kept, made if there is room for it; nil if there is not.
  ///
  /// - Parameters:
  ///   - form: which.
  ///   - shape: of the tensor that it is a form of.
  ///   - kernel: what reads it.
  ///   - elementCount: the size of what `make` gives.
  ///   - make: arranges the matrix.
  func form(
    _ form: Form, shape: [Int], kernel: MatrixKernel, elementCount: Int,
    make: () -> PackedOperand
  ) -> PackedOperand? {
    let key = Key(form: form, shape: shape, kernel: kernel)
    return forms.withLock { forms in
      if let known = forms[key] { return known }
      guard Self.reserve(elementCount) else { return nil }
      let made = make()
      precondition(
        made.elementCount == elementCount && made.kernel == kernel,
        "a packed form has \(made.elementCount) elements")
      forms[key] = made
      return made
    }
  }

  func removeAll() {
    forms.withLock { forms in
      guard !forms.isEmpty else { return }
      let elementCount = forms.values.reduce(0) { $0 + $1.elementCount }
      forms.removeAll()
      Self.keptByteCount.subtract(
        elementCount * MemoryLayout<Float>.stride, ordering: .relaxed)
    }
  }

  private static func reserve(_ elementCount: Int) -> Bool {
    let byteCount = elementCount * MemoryLayout<Float>.stride
    let total = keptByteCount.add(byteCount, ordering: .relaxed).newValue
    if total <= keptByteLimit { return true }
    keptByteCount.subtract(byteCount, ordering: .relaxed)
    return false
  }
}
