/// A range of immutable memory, kept alive by its owner: a mapped file, or a buffer.
///
/// Unchecked sendable because nobody writes to the memory once a value of this type refers to it.
struct Bytes: @unchecked Sendable {
  private let owner: any BytesOwner
  private let start: UnsafeRawPointer
  let count: Int

  init(owner: any BytesOwner, start: UnsafeRawPointer, count: Int) {
    self.owner = owner
    self.start = start
    self.count = count
  }

  /// A copy of some bytes.
  init(copying bytes: some Collection<UInt8>) {
    let buffer = ByteBuffer(capacity: bytes.count)
    buffer.memory.copyBytes(from: bytes)
    self = buffer.bytes(count: bytes.count)
  }

  func withUnsafeBytes<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    defer { withExtendedLifetime(owner) {} }
    return try body(UnsafeRawBufferPointer(start: start, count: count))
  }

  subscript(index: Int) -> UInt8 {
    precondition(index >= 0 && index < count, "byte \(index) of \(count)")
    return withUnsafeBytes { $0[index] }
  }

  subscript(range: Range<Int>) -> Bytes {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "bytes \(range) of \(count)")
    return Bytes(owner: owner, start: start + range.lowerBound, count: range.count)
  }

  /// The little-endian number at an offset.
  func number<Number: FixedWidthInteger>(at offset: Int, as type: Number.Type) -> Number {
    let size = MemoryLayout<Number>.size
    precondition(offset >= 0 && offset <= count - size, "\(type) at byte \(offset) of \(count)")
    return withUnsafeBytes {
      Number(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Number.self))
    }
  }

  /// Whether the bytes at an offset are these.
  func matches(_ expected: [UInt8], at offset: Int = 0) -> Bool {
    guard offset >= 0, expected.count <= count, offset <= count - expected.count else {
      return false
    }
    return withUnsafeBytes { $0[offset..<(offset + expected.count)].elementsEqual(expected) }
  }

  func elementsEqual(_ other: Bytes) -> Bool {
    withUnsafeBytes { mine in other.withUnsafeBytes { mine.elementsEqual($0) } }
  }

  /// The text in these bytes, with replacement characters where they are not UTF-8.
  var text: String { withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }

  /// The text in these bytes; nil if they are not UTF-8.
  var validText: String? { withUnsafeBytes { String(validating: $0, as: UTF8.self) } }
}

/// Something that owns memory and frees it when it goes.
protocol BytesOwner: AnyObject, Sendable {}

/// The bytes of a number, least significant first.
func littleEndianBytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
  withUnsafeBytes(of: number.littleEndian) { Array($0) }
}
