import Configuration

/// Reads and writes npy files: one array each.
public enum NPYFile {
  /// Reads an array; in row-major order it is a view of the mapped file.
  ///
  /// - Throws: `FileError` if the file cannot be opened or is not a valid npy file.
  public static func read(path: String) throws(FileError) -> StoredTensor {
    let bytes = try MappedFile.bytes(path: path)
    let header = try NPYHeader(bytes, path: path, part: "array")
    return try header.stored(in: bytes, path: path, part: "array")
  }

  /// Writes an array; the file appears under its name only when it is complete.
  ///
  /// - Throws: `FileError` if NumPy has no such type or the system refuses.
  public static func write(_ tensor: StoredTensor, to path: String) throws(FileError) {
    let header = try header(for: tensor, path: path, part: "array")
    try AtomicFile.write(to: path) { file throws(FileError) in
      try file.append(header)
      try tensor.withUnsafeBytes { bytes throws(FileError) in try file.append(bytes) }
    }
  }

  static func header(
    for tensor: StoredTensor, path: String, part: String
  ) throws(FileError) -> [UInt8] {
    guard let header = NPYHeader.bytes(for: tensor) else {
      throw FileError(
        .unsupported, path: path, item: part,
        problem: "is \(tensor.elementType.rawValue), which NumPy does not have",
        advice: "write it as float32, or to a safetensors file")
    }
    return header
  }
}

/// The header of an npy file: a magic number, a version and a Python dictionary as text.
struct NPYHeader: Sendable {
  let elementType: ElementType
  let shape: [Int]
  let isFortranOrder: Bool
  let isBigEndian: Bool
  /// The position of the first element.
  let dataStart: Int

  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
  /// The maximum number of bytes that a header may take, from the magic number on; NumPy itself
  /// stops at 10,000.
  static let maxByteCount = 65_536
  private static let maxRank = 64

  /// Reads a header; `bytes` may end anywhere after it.
  init(_ bytes: Bytes, path: String, part: String) throws(FileError) {
    guard bytes.matches(NPYHeader.magic) else {
      throw FileError(
        .malformed, path: path, item: part, problem: "does not begin like an npy array",
        advice: "the file is damaged or not what its name states")
    }
    var cursor = ByteCursor(bytes, path: path, part: part, position: NPYHeader.magic.count)
    let major = try cursor.number(UInt8.self)
    try cursor.advance(1)
    let byteCount: Int
    switch major {
    case 1: byteCount = Int(try cursor.number(UInt16.self))
    case 2, 3: byteCount = Int(try cursor.number(UInt32.self))
    default:
      throw FileError(
        .unsupported, path: path, item: part, problem: "has npy version \(major), not 1 to 3")
    }
    guard byteCount <= NPYHeader.maxByteCount - cursor.position else {
      throw FileError(
        .tooLarge, path: path, item: part, problem: "claims a header of \(byteCount) bytes",
        advice: "the file is damaged")
    }
    let text = try cursor.take(byteCount)
    dataStart = cursor.position
    var dictionary = PythonDictionary(text, path: path, part: part)
    try dictionary.read()
    guard let code = dictionary.description, let shape = dictionary.shape,
      let isFortranOrder = dictionary.isFortranOrder
    else {
      throw FileError(
        .malformed, path: path, item: part, problem: "lacks descr, fortran_order or shape")
    }
    guard let (elementType, isBigEndian) = ElementType.parsed(npyCode: code) else {
      throw FileError(
        .unsupported, path: path, item: part,
        problem: "has the type \(code.printable(limit: 40)), which Attune does not read",
        advice: "save it as one of \(ElementType.npyCodes)")
    }
    guard shape.count <= NPYHeader.maxRank,
      Checked.byteCount(shape: shape, of: elementType) != nil
    else {
      throw FileError(
        .malformed, path: path, item: part, problem: "has the impossible shape \(shape)")
    }
    self.elementType = elementType
    self.shape = shape
    self.isFortranOrder = isFortranOrder
    self.isBigEndian = isBigEndian
  }

  /// The bytes of the elements.
  var dataByteCount: Int { Checked.product(shape + [elementType.byteCount]) ?? 0 }

  /// The elements in row-major order; `bytes` must be the whole file.
  func stored(in bytes: Bytes, path: String, part: String) throws(FileError) -> StoredTensor {
    guard bytes.count - dataStart == dataByteCount else {
      throw FileError(
        bytes.count - dataStart < dataByteCount ? .truncated : .malformed, path: path, item: part,
        problem: "is \(elementType.rawValue) of shape \(shape), which takes \(dataByteCount) "
          + "bytes, but \(bytes.count - dataStart) follow the header",
        advice: "the file is incomplete or damaged")
    }
    let data = bytes[dataStart..<bytes.count]
    let stored =
      isFortranOrder
      ? StridedTensor(
        elementType, shape: shape, strides: StridedTensor.fortranStrides(shape)
      ).stored(in: data)
      : StoredTensor(elementType, shape: shape, bytes: data)
    return isBigEndian ? stored.byteSwapped : stored
  }

  /// The bytes that precede a tensor's elements in an npy file of version 1.
  static func bytes(for tensor: StoredTensor) -> [UInt8]? {
    guard let code = tensor.elementType.npyCode else { return nil }
    let sizes = tensor.shape.map(String.init).joined(separator: ", ")
    let tuple = tensor.shape.count == 1 ? "(\(sizes),)" : "(\(sizes))"
    var text = "{'descr': '\(code)', 'fortran_order': False, 'shape': \(tuple), }"
    let prefixByteCount = magic.count + 4
    // The data starts at a multiple of 64 bytes, after a line feed.
    let padding = 63 - (prefixByteCount + text.utf8.count) % 64
    text += String(repeating: " ", count: padding) + "\n"
    return magic + [1, 0] + littleEndianBytes(UInt16(text.utf8.count)) + Array(text.utf8)
  }
}

extension ElementType {
  private static let npyTable: [(ElementType, String)] = [
    (.float64, "<f8"), (.float32, "<f4"), (.float16, "<f2"), (.int64, "<i8"), (.int32, "<i4"),
    (.int16, "<i2"), (.int8, "|i1"), (.uint64, "<u8"), (.uint32, "<u4"), (.uint16, "<u2"),
    (.uint8, "|u1"), (.bool, "|b1"),
  ]

  static let npyCodes = npyTable.map(\.1).joined(separator: " ")

  /// The type that NumPy's code stands for, in either byte order; one-byte types have none, in any
  /// of the spellings that leave it open.
  static func parsed(npyCode code: String) -> (type: ElementType, isBigEndian: Bool)? {
    guard let match = npyTable.first(where: { $0.1.dropFirst() == code.dropFirst() }),
      let order = code.first, "<>".contains(order) || (match.0.byteCount == 1 && order == "|")
    else { return nil }
    return (match.0, order == ">" && match.0.byteCount > 1)
  }

  /// NumPy's code; nil for bfloat16, which it does not have.
  var npyCode: String? { ElementType.npyTable.first { $0.0 == self }?.1 }
}
