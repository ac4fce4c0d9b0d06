import CZlib

/// Undoes deflate compression in steps: memory grows with what really comes out.
enum Inflater {
  private static let firstCapacity = 1 << 16
  /// zlib counts input and output of one call in 32 bits.
  private static let maxStep = 1 << 30

  /// The maximum number of bytes that so many compressed ones can stand for: deflate cannot do
  /// better than 1032 to 1, and a stream has a few bits of its own.
  static func maxByteCount(from compressedByteCount: Int) -> Int {
    let (product, overflow) = compressedByteCount.multipliedReportingOverflow(by: 1032)
    return overflow ? .max : product
  }

  /// A negative window size means that there is no zlib header, 16 more that there is gzip's.
  private static let rawWindowBits = -MAX_WBITS
  private static let gzipWindowBits = MAX_WBITS + 16

  /// Inflates a stream that must give exactly `byteCount` bytes.
  static func inflate(
    _ compressed: Bytes, byteCount: Int, path: String, part: String
  ) throws(FileError) -> Bytes {
    try inflate(
      compressed, byteCount: byteCount, windowBits: rawWindowBits, path: path, part: part)
  }

  private static func inflate(
    _ compressed: Bytes, byteCount: Int, windowBits: Int32, path: String, part: String
  ) throws(FileError) -> Bytes {
    // One byte more shows a stream that gives more than it should.
    let (bytes, isComplete) = try run(
      compressed, limit: byteCount == .max ? byteCount : byteCount + 1, windowBits: windowBits,
      path: path, part: part)
    guard isComplete, bytes.count == byteCount else {
      throw FileError(
        .malformed, path: path, item: part,
        problem: bytes.count > byteCount
          ? "inflates to more than the \(byteCount) bytes it claims"
          : "inflates to \(bytes.count) bytes, not the \(byteCount) it claims",
        advice: "the file is damaged")
    }
    return bytes
  }

  /// Inflates a stream with gzip's header and checksum, which must give exactly `byteCount` bytes.
  static func inflateGzip(
    _ compressed: Bytes, byteCount: Int, path: String, part: String
  ) throws(FileError) -> Bytes {
    try inflate(
      compressed, byteCount: byteCount, windowBits: gzipWindowBits, path: path, part: part)
  }

  /// Inflates a stream with zlib's header and checksum, which must give exactly `byteCount` bytes.
  static func inflateZlib(
    _ compressed: Bytes, byteCount: Int, path: String, part: String
  ) throws(FileError) -> Bytes {
    try inflate(compressed, byteCount: byteCount, windowBits: MAX_WBITS, path: path, part: part)
  }

  /// Inflates the beginning of a stream: `byteCount` bytes, or fewer if it ends before.
  static func prefix(
    of compressed: Bytes, byteCount: Int, path: String, part: String
  ) throws(FileError) -> Bytes {
    try run(
      compressed, limit: byteCount, windowBits: rawWindowBits, path: path, part: part
    ).bytes
  }

  private static func run(
    _ compressed: Bytes, limit: Int, windowBits: Int32, path: String, part: String
  ) throws(FileError) -> (bytes: Bytes, isComplete: Bool) {
    var stream = z_stream()
    let status = inflateInit2_(
      &stream, windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    guard status == Z_OK else {
      throw FileError(.system, path: path, item: part, problem: "zlib does not start (\(status))")
    }
    defer { inflateEnd(&stream) }
    let buffer = ByteBuffer(capacity: min(limit, firstCapacity))
    var count = 0
    let isComplete = try compressed.withUnsafeBytes { source throws(FileError) in
      var consumed = 0
      while count < limit {
        if count == buffer.memory.count {
          guard buffer.grow(to: min(limit, buffer.memory.count * 2)) else {
            throw FileError(
              .tooLarge, path: path, item: part, problem: "inflates to more than fits in memory")
          }
        }
        let input = min(source.count - consumed, maxStep)
        let output = min(buffer.memory.count - count, maxStep)
        stream.next_in = UnsafeMutablePointer(
          mutating: source.baseAddress?.advanced(by: consumed)
            // Plain bytes; zlib does not write to its input, although its interface does not say
            // so.
            .assumingMemoryBound(to: UInt8.self))
        stream.avail_in = uInt(input)
        // Bytes of a raw buffer, which nothing else binds to another type.
        stream.next_out = buffer.memory.baseAddress?.advanced(by: count)
          .assumingMemoryBound(to: UInt8.self)
        stream.avail_out = uInt(output)
        let status = CZlib.inflate(&stream, Z_NO_FLUSH)
        consumed += input - Int(stream.avail_in)
        count += output - Int(stream.avail_out)
        if status == Z_STREAM_END { return true }
        // Z_BUF_ERROR: the input is used up and the stream goes on.
        guard status == Z_OK else {
          throw FileError(
            status == Z_BUF_ERROR ? .truncated : .malformed, path: path, item: part,
            problem: "has damaged compressed data",
            advice: "the file is incomplete or damaged: fetch or save it again")
        }
      }
      return false
    }
    return (buffer.bytes(count: count), isComplete)
  }
}

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
