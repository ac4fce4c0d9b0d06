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
