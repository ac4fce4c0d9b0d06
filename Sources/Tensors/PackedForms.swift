import CKernels
import Synchronization

/// The arrangements of one matrix that products have asked for, kept as long as the matrix itself.
///
/// A network's weight is packed once after each optimizer step, whatever number of shards and
/// calls then use it.
final class PackedForms: Sendable {
  enum Form: Hashable {
    /// `[inner, columns]` read as it lies: for `x.matmul(w)`.
    case asStored
    /// Transposed: for `x.matmul(w, transposed: true)`, a linear layer's `[out, in]` weight.
    case transposed
    /// Any other arrangement, by its owner's name.
    case named(String)
  }

  private let forms = Mutex<[Form: TensorStorage]>([:])

  func form(_ form: Form, make: () -> TensorStorage) -> TensorStorage {
    forms.withLock { forms in
      if let known = forms[form] { return known }
      let made = make()
      forms[form] = made
      return made
    }
  }

  func removeAll() {
    forms.withLock { $0.removeAll() }
  }
}
