import CHDF5Bridge

/// Everything that a listing of an HDF5 file says. Names have no slash in front.
struct HDF5Listing {
  private(set) var groups: [String] = []
  private(set) var datasets: [String: HDF5Dataset] = [:]
  /// What was not followed, by name.
  private(set) var links: [String: String] = [:]
  private(set) var attributes: [String: [String: HDF5Attribute]] = [:]

  /// Decodes the records that the worker wrote, which are no more trusted than the file was.
  init(records: Bytes, path: String) throws(FileError) {
    var cursor = ByteCursor(records, path: path, part: "listing")
    while cursor.remainingCount > 0 {
      let kind = UInt32(try cursor.number(UInt8.self))
      let name = try cursor.name()
      switch AttuneHDF5RecordKind(kind) {
      case attune_hdf5_group_record: groups.append(name)
      case attune_hdf5_dataset_record:
        datasets[name] = try HDF5Listing.dataset(&cursor, name: name)
      case attune_hdf5_link_record: links[name] = try cursor.listedText()
      case attune_hdf5_attribute_record:
        let attributeName = try cursor.listedText()
        attributes[name, default: [:]][attributeName] = try HDF5Listing.attribute(&cursor)
      default:
        throw FileError(.malformed, path: path, problem: "gave a damaged listing")
      }
    }
  }

  private static func dataset(
    _ cursor: inout ByteCursor, name: String
  ) throws(FileError) -> HDF5Dataset {
    let code = UInt32(try cursor.number(UInt8.self))
    let typeName = try cursor.listedText()
    let shape = try cursor.shape()
    let storedByteCount = try cursor.number(UInt64.self)
    let maxByteCount = try cursor.number(UInt64.self)
    var problem = try cursor.listedText()
    let elementType = ElementType(hdf5: AttuneHDF5ElementType(code))
    if problem.isEmpty, let elementType,
      Checked.byteCount(shape: shape, of: elementType) == nil
    {
      problem = "has the impossible shape \(shape)"
    }
    return HDF5Dataset(
      name: name, elementType: elementType,
      isText: AttuneHDF5ElementType(code) == attune_hdf5_text,
      hasByteArrays: AttuneHDF5ElementType(code) == attune_hdf5_byte_arrays, typeName: typeName,
      shape: shape,
      storedByteCount: Int(clamping: storedByteCount), problem: problem.isEmpty ? nil : problem,
      maxByteCount: Int(clamping: maxByteCount))
  }

  private static func attribute(_ cursor: inout ByteCursor) throws(FileError) -> HDF5Attribute {
    let shape = try cursor.shape()
    let kind = AttuneHDF5AttributeKind(UInt32(try cursor.number(UInt8.self)))
    guard kind != attune_hdf5_other_attribute else {
      return HDF5Attribute(shape: shape, values: .other(try cursor.listedText()))
    }
    // The worker writes no more than some dozens; each takes at least four bytes of the listing.
    let count = Checked.elementCount(shape) ?? .max
    var texts: [String] = []
    var integers: [Int] = []
    for _ in 0..<count {
      if kind == attune_hdf5_text_attribute {
        texts.append(try cursor.listedText())
      } else {
        integers.append(Int(try cursor.number(Int64.self)))
      }
    }
    switch kind {
    case attune_hdf5_text_attribute: return HDF5Attribute(shape: shape, values: .texts(texts))
    case attune_hdf5_float_attribute:
      let numbers = integers.map { Double(bitPattern: UInt64(bitPattern: Int64($0))) }
      return HDF5Attribute(shape: shape, values: .numbers(numbers))
    default: return HDF5Attribute(shape: shape, values: .integers(integers))
    }
  }
}

extension ByteCursor {
  /// A text with its length in front.
  mutating func listedText() throws(FileError) -> String { try listedBytes().text }

  /// Bytes with their number in front.
  mutating func listedBytes() throws(FileError) -> Bytes {
    try take(Int(try number(UInt32.self)))
  }

  /// A path without the slash in front.
  fileprivate mutating func name() throws(FileError) -> String {
    let text = try listedText()
    return text.hasPrefix("/") ? String(text.dropFirst()) : text
  }

  fileprivate mutating func shape() throws(FileError) -> [Int] {
    let rank = Int(try number(UInt32.self))
    var shape: [Int] = []
    for _ in 0..<rank { shape.append(Int(clamping: try number(UInt64.self))) }
    return shape
  }
}

extension ElementType {
  private static let hdf5Codes: [(ElementType, AttuneHDF5ElementType)] = [
    (.float64, attune_hdf5_float64), (.float32, attune_hdf5_float32),
    (.float16, attune_hdf5_float16), (.int64, attune_hdf5_int64), (.int32, attune_hdf5_int32),
    (.int16, attune_hdf5_int16), (.int8, attune_hdf5_int8), (.uint64, attune_hdf5_uint64),
    (.uint32, attune_hdf5_uint32), (.uint16, attune_hdf5_uint16), (.uint8, attune_hdf5_uint8),
    (.bool, attune_hdf5_bool),
  ]

  init?(hdf5 code: AttuneHDF5ElementType) {
    guard let match = ElementType.hdf5Codes.first(where: { $0.1 == code }) else { return nil }
    self = match.0
  }

  /// Nil for bfloat16, which HDF5 does not have.
  var hdf5Code: AttuneHDF5ElementType? { ElementType.hdf5Codes.first { $0.0 == self }?.1 }
}
