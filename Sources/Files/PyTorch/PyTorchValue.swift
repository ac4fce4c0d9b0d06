import Configuration

/// What a PyTorch checkpoint consists of: tensors, numbers, texts, lists and dictionaries, and
/// names of what was not built.
public indirect enum PyTorchValue: Sendable {
  /// `None`.
  case none
  /// `True` or `False`.
  case boolean(Bool)
  /// An `int` of at most 64 bits.
  case integer(Int)
  /// A `float`.
  case number(Double)
  /// A `str`; also a `torch.dtype` or `torch.device`, by its name.
  case text(String)
  /// A `bytes` object, as a tensor of type uint8.
  case bytes(StoredTensor)
  /// A `list` or `tuple`.
  case list([PyTorchValue])
  /// A `dict` or `OrderedDict`, in its order.
  case dictionary([Entry])
  /// A `torch.Tensor`, a parameter, or a NumPy array of numbers.
  case tensor(PyTorchTensor)
  /// Something of another class, which was not built, such as `argparse.Namespace` or a set, and
  /// how many tensors were in it.
  case object(className: String, tensorCount: Int)

  /// One key of a dictionary with its value.
  public struct Entry: Sendable {
    /// Usually a text or an integer.
    public let key: PyTorchValue
    /// The value of the key.
    public let value: PyTorchValue
  }

  /// The value of a dictionary's text key; nil if there is none or this is not a dictionary.
  public subscript(key: String) -> PyTorchValue? {
    guard case .dictionary(let entries) = self else { return nil }
    // As in Python, a key that was set twice has its last value.
    return entries.last {
      if case .text(key) = $0.key { true } else { false }
    }?.value
  }

  /// What the value is, in a few words.
  public var summary: String {
    switch self {
    case .none: "None"
    case .boolean(let value): value ? "True" : "False"
    case .integer(let value): "\(value)"
    case .number(let value): "\(value)"
    case .text(let text): "'\(text.printable(limit: 60))'"
    case .bytes(let bytes): "\(bytes.byteCount) bytes"
    case .list(let values): "list of \(values.count)"
    case .dictionary(let entries): "dictionary of \(entries.count)"
    case .object(let name, let count):
      "\(name), not read" + (count == 0 ? "" : " (with \(count) tensors)")
    case .tensor(let tensor): "\(tensor.elementType.rawValue) \(tensor.shape)"
    }
  }
}

extension PyTorchValue {
  /// A value that is not a container, at its place in the checkpoint.
  struct Leaf {
    /// Keys and list positions from the top, joined by slashes.
    let name: String
    let value: PyTorchValue
  }

  /// The names of leaves may take that many bytes: long keys around shared lists would otherwise
  /// make a small file fill the memory.
  private static let maxNameByteCount = 1 << 28

  /// All values that are not containers, in order; nil if their names are too long to keep.
  var leaves: [Leaf]? {
    var leaves: [Leaf] = []
    var room = PyTorchValue.maxNameByteCount
    collectLeaves(into: &leaves, prefix: "", room: &room)
    return room >= 0 ? leaves : nil
  }

  private func collectLeaves(into leaves: inout [Leaf], prefix: String, room: inout Int) {
    func name(_ key: String) -> String { prefix.isEmpty ? key : "\(prefix)/\(key)" }
    // A name costs time also where it is not kept, and so does the value.
    room -= prefix.utf8.count + 64
    switch self {
    case .list(let values):
      for (index, value) in values.enumerated() where room >= 0 {
        value.collectLeaves(into: &leaves, prefix: name("\(index)"), room: &room)
      }
    case .dictionary(let entries):
      for entry in entries where room >= 0 {
        entry.value.collectLeaves(into: &leaves, prefix: name(entry.key.asKey), room: &room)
      }
    default:
      if room >= 0 { leaves.append(Leaf(name: prefix, value: self)) }
    }
  }

  private var asKey: String {
    if case .text(let text) = self { return text }
    return summary
  }
}

/// A tensor of a PyTorch checkpoint, whose elements are loaded when they are asked for.
public struct PyTorchTensor: Sendable {
  enum Source: Sendable {
    /// A storage of the archive; several tensors may share it.
    case storage(PyTorchArchive, key: String)
    /// Bytes inside the pickle, of a NumPy array.
    case bytes(Bytes)
  }

  private let view: StridedTensor
  private let source: Source
  /// The first element's place in the source, in elements.
  private let offset: Int

  /// The type of the elements.
  public var elementType: ElementType { view.elementType }
  /// The size of each dimension, outermost first.
  public var shape: [Int] { view.shape }

  /// A view may show elements several times, as `expand` does, but not more of them than this or
  /// than its source has.
  private static let maxRepeatedCount = 1 << 20
  private static let maxRank = 64

  /// Nil unless every element lies within the first `sourceCount` ones of the source.
  init?(view: StridedTensor, source: Source, offset: Int, sourceCount: Int) {
    guard view.shape.count <= PyTorchTensor.maxRank, offset >= 0, let span = view.span,
      let count = view.count, let end = Checked.sum(offset, span), end <= sourceCount,
      count <= max(sourceCount, PyTorchTensor.maxRepeatedCount)
    else { return nil }
    self.view = view
    self.source = source
    self.offset = offset
  }

  /// Loads the elements in row-major order: a view of the mapped file where they lie so.
  ///
  /// - Throws: `FileError` if their storage is missing or damaged.
  public func stored() throws(FileError) -> StoredTensor {
    let bytes: Bytes
    switch source {
    case .storage(let archive, let key): bytes = try archive.storage(key)
    case .bytes(let contents): bytes = contents
    }
    let size = elementType.byteCount
    // The storage's size was compared with its elements when the tensor was read.
    return view.stored(in: bytes[(offset * size)..<bytes.count])
  }
}
