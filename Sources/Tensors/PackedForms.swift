import Synchronization

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
  ///   - elementCount: the size of what `make` gives.
  ///   - make: arranges the matrix.
  func form(
    _ form: Form, shape: [Int], elementCount: Int, make: () -> PackedOperand
  ) -> PackedOperand? {
    let key = Key(form: form, shape: shape)
    return forms.withLock { forms in
      if let known = forms[key] { return known }
      guard Self.reserve(elementCount) else { return nil }
      let made = make()
      precondition(
        made.elementCount == elementCount, "a packed form has \(made.elementCount) elements")
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
