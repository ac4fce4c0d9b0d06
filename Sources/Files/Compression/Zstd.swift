import CZstd

/// Undoes Zstandard compression.
enum Zstd {
  /// The maximum number of bytes that so many compressed ones can stand for: a block of 128 kB takes
  /// four at least.
  static func maxByteCount(from compressedByteCount: Int) -> Int {
    let (product, overflow) = compressedByteCount.multipliedReportingOverflow(by: 1 << 15)
    return overflow ? .max : product
  }

  /// Decompresses frames that must give exactly `byteCount` bytes; nil if they do not.
  static func decompress(_ compressed: Bytes, byteCount: Int) -> Bytes? {
    guard byteCount <= maxByteCount(from: compressed.count) else { return nil }
    let buffer = ByteBuffer(capacity: byteCount)
    let count = compressed.withUnsafeBytes { source in
      ZSTD_decompress(buffer.memory.baseAddress, byteCount, source.baseAddress, source.count)
    }
    // An error is a number that is no size.
    guard ZSTD_isError(count) == 0, count == byteCount else { return nil }
    return buffer.bytes(count: byteCount)
  }
}
