import CZlib

/// The checksum of zip archives.
enum Checksum {
  /// Continues a checksum, or begins one.
  static func crc32(_ bytes: UnsafeRawBufferPointer, from start: UInt32 = 0) -> UInt32 {
    // zlib takes no pointer as "begin anew".
    guard let first = bytes.baseAddress else { return start }
    // Bytes, which may be read as what they are.
    let pointer = first.assumingMemoryBound(to: UInt8.self)
    return UInt32(truncatingIfNeeded: crc32_z(uLong(start), pointer, bytes.count))
  }
}
