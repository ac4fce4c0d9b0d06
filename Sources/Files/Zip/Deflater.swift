import CZlib

/// Raw deflate compression at zlib's usual level.
enum Deflater {
  private static let maxStep = 1 << 30

  /// Compresses pieces as one stream.
  static func deflate(_ pieces: [Bytes], path: String) throws(FileError) -> Bytes {
    var stream = z_stream()
    let memoryLevel: Int32 = 8
    let status = deflateInit2_(
      &stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, memoryLevel, Z_DEFAULT_STRATEGY,
      ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    guard status == Z_OK else {
      throw FileError(.system, path: path, problem: "zlib does not start (\(status))")
    }
    defer { deflateEnd(&stream) }
    let buffer = ByteBuffer(capacity: 1 << 16)
    var count = 0
    for (index, piece) in pieces.enumerated() {
      let isLast = index == pieces.count - 1
      try piece.withUnsafeBytes { source throws(FileError) in
        var consumed = 0
        repeat {
          let input = min(source.count - consumed, maxStep)
          let flush = isLast && consumed + input == source.count ? Z_FINISH : Z_NO_FLUSH
          stream.next_in = UnsafeMutablePointer(
            mutating: source.baseAddress?.advanced(by: consumed)
              // Plain bytes; zlib does not write to its input, although its interface does not say
              // so.
              .assumingMemoryBound(to: UInt8.self))
          stream.avail_in = uInt(input)
          try drain(&stream, flush, into: buffer, count: &count, path: path)
          consumed += input
        } while consumed < source.count
      }
    }
    return buffer.bytes(count: count)
  }

  /// Takes all output that the present input gives.
  private static func drain(
    _ stream: inout z_stream, _ flush: Int32, into buffer: ByteBuffer, count: inout Int,
    path: String
  ) throws(FileError) {
    repeat {
      if count == buffer.memory.count {
        guard buffer.grow(to: buffer.memory.count * 2) else {
          throw FileError(.tooLarge, path: path, problem: "does not fit in memory")
        }
      }
      let output = min(buffer.memory.count - count, maxStep)
      // Bytes of a raw buffer, which nothing else binds to another type.
      stream.next_out = buffer.memory.baseAddress?.advanced(by: count)
        .assumingMemoryBound(to: UInt8.self)
      stream.avail_out = uInt(output)
      CZlib.deflate(&stream, flush)
      count += output - Int(stream.avail_out)
      // Room left over means that zlib had nothing more to give.
    } while stream.avail_out == 0
  }
}
