/// Reads small whole numbers, such as levels and places in a dictionary: runs of one value
/// alternate with packed bits.
///
/// Valid while the bytes are.
struct HybridDecoder {
  private let bytes: UnsafeRawBufferPointer
  private let bitWidth: Int
  private var position = 0

  private var remainingCount = 0
  private var isPacked = false
  /// Of a run.
  private var value: UInt32 = 0
  /// Where the next packed value begins.
  private var bitPosition = 0

  /// Nil for numbers of more than 32 bits.
  init?(_ bytes: UnsafeRawBufferPointer, bitWidth: Int) {
    guard (0...32).contains(bitWidth) else { return nil }
    self.bytes = bytes
    self.bitWidth = bitWidth
  }

  /// The next number; nil where the bytes end.
  mutating func next() -> UInt32? {
    if remainingCount == 0, !startRun() { return nil }
    remainingCount -= 1
    return isPacked ? packedValue() : value
  }

  private mutating func packedValue() -> UInt32 {
    var bits: UInt64 = 0
    let first = bitPosition >> 3
    let end = (bitPosition + bitWidth + 7) >> 3
    for index in first..<end { bits |= UInt64(bytes[index]) << UInt64(8 * (index - first)) }
    bits >>= UInt64(bitPosition & 7)
    bitPosition += bitWidth
    return UInt32(truncatingIfNeeded: bits & ((1 << UInt64(bitWidth)) - 1))
  }

  private mutating func startRun() -> Bool {
    while remainingCount == 0 {
      guard let header = varint() else { return false }
      let count = Int(header >> 1)
      isPacked = header & 1 == 1
      if isPacked {
        // Eight values are `bitWidth` bytes; a writer may leave out bytes of the last eight.
        let available = bytes.count - position
        let byteCount = min(count * bitWidth, available)
        remainingCount = bitWidth == 0 ? count * 8 : byteCount * 8 / bitWidth
        bitPosition = position * 8
        position += byteCount
      } else {
        let byteCount = (bitWidth + 7) / 8
        guard byteCount <= bytes.count - position else { return false }
        value = 0
        for index in 0..<byteCount { value |= UInt32(bytes[position + index]) << (8 * index) }
        position += byteCount
        remainingCount = count
      }
    }
    return true
  }

  private mutating func varint() -> UInt32? {
    var number: UInt64 = 0
    for shift in stride(from: UInt64(0), through: 28, by: 7) {
      guard position < bytes.count else { return nil }
      let byte = bytes[position]
      position += 1
      number |= UInt64(byte & 0x7F) << shift
      if byte & 0x80 == 0 { return UInt32(exactly: number) }
    }
    return nil
  }
}
