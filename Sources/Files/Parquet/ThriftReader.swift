/// Reads Thrift's compact protocol, in which parquet states its footer and page headers.
///
/// Only what a caller takes is kept; the rest is skipped, at a bounded depth.
struct ThriftReader {
  /// The types of the compact protocol.
  enum FieldType: UInt8 {
    case isTrue = 1
    case isFalse, int8, int16, int32, int64, double, binary, list, set, map, structure
  }

  private let bytes: Bytes
  private let path: String
  private let part: String
  private(set) var position = 0

  private static let maxDepth = 32
  private static let maxVarintByteCount = 10

  init(_ bytes: Bytes, path: String, part: String) {
    self.bytes = bytes
    self.path = path
    self.part = part
  }

  /// Reads a structure; `body` must read or skip the value of each field.
  mutating func structure(
    _ body: (inout ThriftReader, _ field: Int, _ type: FieldType) throws(FileError) -> Void
  ) throws(FileError) {
    var field = 0
    while true {
      let header = try byte()
      if header == 0 { return }
      guard let type = FieldType(rawValue: header & 0xF) else {
        throw malformed("has a field of the unknown type \(header & 0xF)")
      }
      let difference = Int(header >> 4)
      field = difference > 0 ? field + difference : Int(try integer(as: Int16.self))
      try body(&self, field, type)
    }
  }

  /// Reads a list; `body` must read or skip each element.
  mutating func list(
    _ body: (inout ThriftReader) throws(FileError) -> Void
  ) throws(FileError) {
    let (count, _) = try listHeader()
    for _ in 0..<count { try body(&self) }
  }

  /// Reads a whole number, which must fit.
  mutating func integer<Number: FixedWidthInteger & SignedInteger>(
    as type: Number.Type = Number.self
  ) throws(FileError) -> Number {
    let zigzag = try varint()
    let value = Int64(bitPattern: zigzag >> 1) ^ -Int64(bitPattern: zigzag & 1)
    guard let number = Number(exactly: value) else {
      throw malformed("has the number \(value), which does not fit its field")
    }
    return number
  }

  /// Reads a whole number that must not be negative.
  mutating func count() throws(FileError) -> Int {
    let value = try integer(as: Int64.self)
    guard value >= 0 else { throw malformed("has the count \(value)") }
    return Int(value)
  }

  /// Reads bytes, without copying them.
  mutating func binary() throws(FileError) -> Bytes {
    let count = try varint()
    guard count <= UInt64(bytes.count - position) else { throw truncated() }
    defer { position += Int(count) }
    return bytes[position..<(position + Int(count))]
  }

  /// Reads a text.
  mutating func string() throws(FileError) -> String {
    guard let text = try binary().validText else { throw malformed("has a text that is not UTF-8") }
    return text
  }

  /// Skips the value of a field.
  mutating func skip(_ type: FieldType) throws(FileError) { try skip(type, depth: 0) }

  /// An error about this part of the file.
  func malformed(_ problem: String) -> FileError {
    FileError(
      .malformed, path: path, item: part, problem: "\(problem) (byte \(position))",
      advice: "the file is damaged: fetch or write it again")
  }
}

extension ThriftReader {
  private func truncated() -> FileError {
    FileError(
      .truncated, path: path, item: part, problem: "ends in the middle of a value",
      advice: "the file is incomplete or damaged: fetch or write it again")
  }

  private mutating func byte() throws(FileError) -> UInt8 {
    guard position < bytes.count else { throw truncated() }
    defer { position += 1 }
    return bytes[position]
  }

  private mutating func varint() throws(FileError) -> UInt64 {
    var value: UInt64 = 0
    for index in 0..<ThriftReader.maxVarintByteCount {
      let next = try byte()
      value |= UInt64(next & 0x7F) << UInt64(7 * index)
      if next & 0x80 == 0 { return value }
    }
    throw malformed("has a number of more than 64 bits")
  }

  private mutating func listHeader() throws(FileError) -> (count: Int, type: FieldType) {
    let header = try byte()
    guard let type = FieldType(rawValue: header & 0xF) else {
      throw malformed("has a list of the unknown type \(header & 0xF)")
    }
    let count = header >> 4 == 0xF ? try varint() : UInt64(header >> 4)
    // Every element takes a byte at least.
    guard count <= UInt64(bytes.count - position) else { throw truncated() }
    return (Int(count), type)
  }

  private mutating func skip(_ type: FieldType, depth: Int) throws(FileError) {
    guard depth < ThriftReader.maxDepth else { throw malformed("is nested too deep") }
    switch type {
    case .isTrue, .isFalse: break
    case .int8: _ = try byte()
    case .int16, .int32, .int64: _ = try varint()
    case .double:
      guard bytes.count - position >= 8 else { throw truncated() }
      position += 8
    case .binary: _ = try binary()
    case .list, .set:
      let (count, type) = try listHeader()
      for _ in 0..<count { try skipElement(type, depth: depth + 1) }
    case .map: try skipMap(depth: depth + 1)
    case .structure:
      try structure { reader, _, type throws(FileError) in
        try reader.skip(type, depth: depth + 1)
      }
    }
  }

  /// In lists and maps a boolean is a byte of its own.
  private mutating func skipElement(_ type: FieldType, depth: Int) throws(FileError) {
    switch type {
    case .isTrue, .isFalse: _ = try byte()
    default: try skip(type, depth: depth)
    }
  }

  private mutating func skipMap(depth: Int) throws(FileError) {
    let count = try varint()
    guard count > 0 else { return }
    let types = try byte()
    guard let key = FieldType(rawValue: types >> 4), let value = FieldType(rawValue: types & 0xF)
    else { throw malformed("has a map of unknown types") }
    guard count <= UInt64(bytes.count - position) else { throw truncated() }
    for _ in 0..<count {
      try skipElement(key, depth: depth)
      try skipElement(value, depth: depth)
    }
  }
}
