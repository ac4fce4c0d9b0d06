/// Undoes Snappy compression.
///
/// A block is the length of what comes out, then pieces: literal bytes, or a copy of what came out
/// before, which may overlap what it makes.
enum Snappy {
  /// A copy of 64 bytes takes three, and nothing does better.
  private static let maxRatio = 22

  /// Decompresses a block that must give exactly `byteCount` bytes; nil if it does not.
  static func decompress(_ compressed: Bytes, byteCount: Int) -> Bytes? {
    guard byteCount / maxRatio <= compressed.count else { return nil }
    let buffer = ByteBuffer(capacity: byteCount)
    let isWhole = compressed.withUnsafeBytes { source in
      decompress(source, into: UnsafeMutableRawBufferPointer(rebasing: buffer.memory[..<byteCount]))
    }
    return isWhole ? buffer.bytes(count: byteCount) : nil
  }

  private static func decompress(
    _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
  ) -> Bool {
    var position = 0
    guard let count = length(source, &position), count == target.count else { return false }
    var filled = 0
    while position < source.count {
      let tag = Int(source[position])
      position += 1
      if tag & 3 == 0 {
        var length = tag >> 2 + 1
        if length > 60 {
          guard let stated = number(source, &position, byteCount: length - 60) else { return false }
          length = stated + 1
        }
        guard length <= source.count - position, length <= target.count - filled else {
          return false
        }
        target[filled..<(filled + length)].copyBytes(from: source[position..<(position + length)])
        position += length
        filled += length
      } else {
        let isShort = tag & 3 == 1
        let length = isShort ? (tag >> 2) & 7 + 4 : tag >> 2 + 1
        let byteCount = isShort ? 1 : tag & 3 == 2 ? 2 : 4
        guard let low = number(source, &position, byteCount: byteCount) else { return false }
        let distance = isShort ? (tag >> 5) << 8 | low : low
        guard distance > 0, distance <= filled, length <= target.count - filled else {
          return false
        }
        // Byte by byte: a copy may reach into what it makes.
        for _ in 0..<length {
          target[filled] = target[filled - distance]
          filled += 1
        }
      }
    }
    return filled == target.count
  }

  /// The length of what comes out, seven bits a byte.
  private static func length(_ source: UnsafeRawBufferPointer, _ position: inout Int) -> Int? {
    var length = 0
    for shift in stride(from: 0, through: 28, by: 7) {
      guard position < source.count else { return nil }
      let byte = Int(source[position])
      position += 1
      length |= (byte & 0x7F) << shift
      if byte & 0x80 == 0 { return length }
    }
    return nil
  }

  private static func number(
    _ source: UnsafeRawBufferPointer, _ position: inout Int, byteCount: Int
  ) -> Int? {
    guard byteCount <= source.count - position else { return nil }
    var number = 0
    for index in 0..<byteCount { number |= Int(source[position + index]) << (8 * index) }
    position += byteCount
    return number
  }
}
