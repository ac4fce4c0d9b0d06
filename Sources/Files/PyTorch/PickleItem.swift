/// A value on the unpickler's stack.
enum PickleItem {
  case none
  case boolean(Bool)
  case integer(Int)
  case number(Double)
  case text(String)
  case bytes(Bytes)
  case global(PickleGlobal)
  /// The index of an object. Objects refer to one another by index, so that neither circles nor
  /// deep nesting are a matter of memory management.
  case object(Int)

  /// What it is, for errors.
  var kind: String {
    switch self {
    case .none: "None"
    case .boolean: "a boolean"
    case .integer: "an integer"
    case .number: "a number"
    case .text: "a text"
    case .bytes: "bytes"
    case .global(let global): "the class \(global.name)"
    case .object: "an object"
    }
  }
}

/// A container or tensor that the unpickler has built, or part of one.
struct PickleObject {
  enum Kind {
    case list
    case tuple
    /// Keys and values in turn.
    case dictionary
    indirect case storage(ElementType, key: String, count: Int)
    indirect case tensor(PyTorchTensor)
    /// A NumPy type, little-endian until its state says otherwise.
    case numPyType(ElementType, isBigEndian: Bool)
    /// A NumPy array before its state.
    case emptyArray
    /// Something of a class that is not built; its items are what the pickle gave it.
    indirect case foreign(className: String)
  }

  var kind: Kind
  var items: [PickleItem] = []

  /// The class, of something that is not built.
  var foreignName: String? {
    if case .foreign(let name) = kind { name } else { nil }
  }
}
