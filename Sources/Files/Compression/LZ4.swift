/// Undoes LZ4 compression of one block.
///
/// A block is a sequence of literal bytes and copies of what came out before, which may overlap what
/// they make; it ends with literals.
enum LZ4 {
  /// A copy takes a byte for each 255 that it makes.
  private static let maxRatio = 255
  private static let minMatch = 4

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
    var filled = 0
    while position < source.count {
      let token = Int(source[position])
      position += 1
      guard let literals = length(token >> 4, source, &position),
        literals <= source.count - position, literals <= target.count - filled
      else { return false }
      target[filled..<(filled + literals)].copyBytes(
        from: source[position..<(position + literals)])
      position += literals
      filled += literals
      // The last sequence has no copy.
      if position == source.count { break }
      guard source.count - position >= 2 else { return false }
      let distance = Int(source[position]) | Int(source[position + 1]) << 8
      position += 2
      guard let match = length(token & 15, source, &position), distance > 0, distance <= filled,
        match + minMatch <= target.count - filled
      else { return false }
      // Byte by byte: a copy may reach into what it makes.
      for _ in 0..<(match + minMatch) {
        target[filled] = target[filled - distance]
        filled += 1
      }
    }
    return filled == target.count
  }

  /// A length of four bits, which 15 continues in bytes until one is not 255.
  private static func length(
    _ start: Int, _ source: UnsafeRawBufferPointer, _ position: inout Int
  ) -> Int? {
    var length = start
    guard start == 15 else { return length }
    while position < source.count {
      let byte = Int(source[position])
      position += 1
      // As many bytes as fit memory do not overflow.
      length += byte
      if byte != 255 { return length }
    }
    return nil
  }
}
