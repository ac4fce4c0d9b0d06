import Glibc

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

/// Reads numbers and ranges one after the other and throws where the bytes end.
struct ByteCursor {
  let bytes: Bytes
  /// The file that errors name.
  let path: String
  /// The part of the file that errors name.
  let part: String
  private(set) var position: Int

  init(_ bytes: Bytes, path: String, part: String, position: Int = 0) {
    precondition(position >= 0 && position <= bytes.count)
    self.bytes = bytes
    self.path = path
    self.part = part
    self.position = position
  }

  var remainingCount: Int { bytes.count - position }

  mutating func number<Number: FixedWidthInteger>(
    _ type: Number.Type = Number.self
  ) throws(FileError) -> Number {
    let start = try advance(MemoryLayout<Number>.size)
    return bytes.number(at: start, as: type)
  }

  mutating func take(_ count: Int) throws(FileError) -> Bytes {
    let start = try advance(count)
    return bytes[start..<(start + count)]
  }

  /// Moves past `count` bytes and gives the position before them.
  @discardableResult
  mutating func advance(_ count: Int) throws(FileError) -> Int {
    guard count >= 0, count <= remainingCount else {
      throw FileError(
        .truncated, path: path, item: part,
        problem: "ends at byte \(bytes.count), but \(count) bytes are due at byte \(position)",
        advice: "the file is incomplete or damaged: fetch it again")
    }
    defer { position += count }
    return position
  }
}

/// Memory that is filled once and then shared as `Bytes`.
///
/// Unchecked sendable because only its creator writes to it, before sharing it.
final class ByteBuffer: BytesOwner, @unchecked Sendable {
  private(set) var memory: UnsafeMutableRawBufferPointer

  /// Allocates uninitialized memory of a size that the program itself decided.
  init(capacity: Int) {
    guard let start = malloc(max(capacity, 1)) else {
      fatalError("out of memory: a file buffer requested \(capacity) bytes")
    }
    memory = UnsafeMutableRawBufferPointer(start: start, count: capacity)
  }

  deinit { free(memory.baseAddress) }

  /// Enlarges the memory and keeps its contents; false if there is not that much.
  func grow(to capacity: Int) -> Bool {
    guard let start = realloc(memory.baseAddress, max(capacity, 1)) else { return false }
    memory = UnsafeMutableRawBufferPointer(start: start, count: capacity)
    return true
  }

  /// The first bytes, not to be written to from now on.
  func bytes(count: Int) -> Bytes {
    precondition(count <= memory.count)
    return Bytes(owner: self, start: UnsafeRawPointer(memory.baseAddress!), count: count)
  }
}

/// Arithmetic on numbers that come from a file: nil where Swift's operators would trap.
enum Checked {
  static func product(_ factors: some Sequence<Int>) -> Int? {
    var product = 1
    for factor in factors {
      guard factor >= 0 else { return nil }
      let (value, overflow) = product.multipliedReportingOverflow(by: factor)
      if overflow { return nil }
      product = value
    }
    return product
  }

  static func sum(_ terms: Int...) -> Int? {
    var sum = 0
    for term in terms {
      let (value, overflow) = sum.addingReportingOverflow(term)
      if overflow { return nil }
      sum = value
    }
    return sum
  }

  /// The elements of a tensor; nil for a negative size or an overflow.
  ///
  /// The sizes of an empty tensor other than zero must have a product too, so that whoever computes
  /// strides from them cannot overflow.
  static func elementCount(_ shape: [Int]) -> Int? {
    guard shape.allSatisfy({ $0 >= 0 }), let count = product(shape.map { max($0, 1) }) else {
      return nil
    }
    return shape.contains(0) ? 0 : count
  }

  /// The bytes of a tensor; nil for a negative size or an overflow.
  static func byteCount(shape: [Int], of elementType: ElementType) -> Int? {
    elementCount(shape).flatMap { product([$0, elementType.byteCount]) }
  }
}
