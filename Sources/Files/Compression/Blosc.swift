/// Undoes Blosc 1 compression: blocks, each of one or several streams of another compression, whose
/// bytes or bits may be sorted by their place in an element.
///
/// It is read here rather than by its library, so that a damaged frame is an error and nothing worse.
struct Blosc {
  private let frame: Bytes
  private let byteCount: Int
  private let blockByteCount: Int
  private let elementByteCount: Int
  private let flags: UInt8
  private let codec: Codec
  private let path: String
  private let item: String

  private enum Codec: UInt8 {
    case lz4 = 1
    case snappy, zlib, zstd
  }

  private enum Flag {
    static let shuffled: UInt8 = 1
    static let copied: UInt8 = 2
    static let bitShuffled: UInt8 = 4
    static let unsplit: UInt8 = 16
    static let codecShift: UInt8 = 5
  }

  private static let headerByteCount = 16
  private static let formatVersion: UInt8 = 2
  /// Blocks are split into a stream for each byte of an element where an element is no larger, and a
  /// stream no smaller, than this.
  private static let maxStreamCount = 16
  private static let minStreamByteCount = 128

  /// Decompresses a frame that must give exactly `byteCount` bytes.
  ///
  /// - Parameters:
  ///   - frame: header, places of blocks, blocks.
  ///   - byteCount: what is expected, which the caller found to be possible.
  ///   - path: the file, for errors.
  ///   - item: the part of it, for errors.
  /// - Throws: `FileError` if it does not, is damaged or uses a compression that is not read.
  static func decompress(
    _ frame: Bytes, byteCount: Int, path: String, item: String
  ) throws(FileError) -> Bytes {
    try Blosc(frame, byteCount: byteCount, path: path, item: item).decompressed()
  }

  private init(_ frame: Bytes, byteCount: Int, path: String, item: String) throws(FileError) {
    (self.frame, self.byteCount, self.path, self.item) = (frame, byteCount, path, item)
    var cursor = ByteCursor(frame, path: path, part: item)
    let version: UInt8 = try cursor.number()
    try cursor.advance(1)
    flags = try cursor.number()
    elementByteCount = Int(try cursor.number(UInt8.self))
    let stated = Int(try cursor.number(UInt32.self))
    blockByteCount = Int(try cursor.number(UInt32.self))
    let frameByteCount = Int(try cursor.number(UInt32.self))
    func damaged(_ problem: String) -> FileError {
      FileError(
        .malformed, path: path, item: item, problem: "is a Blosc frame that \(problem)",
        advice: "the file is damaged: fetch or write it again")
    }
    guard version <= Blosc.formatVersion else {
      throw FileError(
        .unsupported, path: path, item: item, problem: "is a Blosc frame of version \(version)",
        advice: "write it with Blosc 1, as numcodecs does")
    }
    guard stated == byteCount else {
      throw damaged("claims \(stated) bytes, where \(byteCount) are expected")
    }
    guard frameByteCount == frame.count else {
      throw damaged("claims to take \(frameByteCount) bytes, and takes \(frame.count)")
    }
    guard elementByteCount > 0, blockByteCount > 0 || byteCount == 0 else {
      throw damaged("has elements or blocks without bytes")
    }
    let number = flags >> Flag.codecShift
    guard let codec = Codec(rawValue: number) else {
      throw FileError(
        .unsupported, path: path, item: item,
        problem: "is compressed with \(number == 0 ? "blosclz" : "the unknown codec \(number)")",
        advice: "write it with Blosc's lz4 or zstd")
    }
    self.codec = codec
  }

  private var damaged: FileError {
    FileError(
      .malformed, path: path, item: item, problem: "has damaged Blosc data",
      advice: "the file is damaged: fetch or write it again")
  }

  private func decompressed() throws(FileError) -> Bytes {
    let body = frame[Blosc.headerByteCount..<frame.count]
    guard flags & Flag.copied == 0 else {
      guard body.count == byteCount else { throw damaged }
      return body
    }
    guard byteCount > 0 else { return Bytes(copying: []) }
    let blockCount = (byteCount - 1) / blockByteCount + 1
    // Places take four bytes each, so that there are no more blocks than the frame has bytes.
    guard blockCount <= body.count / 4 else { throw damaged }
    let buffer = ByteBuffer(capacity: byteCount)
    for block in 0..<blockCount {
      let start = block * blockByteCount
      let count = min(blockByteCount, byteCount - start)
      let place = Int(frame.number(at: Blosc.headerByteCount + 4 * block, as: UInt32.self))
      let target = UnsafeMutableRawBufferPointer(
        rebasing: buffer.memory[start..<(start + count)])
      try decompressBlock(at: place, into: target)
    }
    return buffer.bytes(count: byteCount)
  }

  private func decompressBlock(
    at place: Int, into target: UnsafeMutableRawBufferPointer
  ) throws(FileError) {
    guard place >= Blosc.headerByteCount, place <= frame.count else { throw damaged }
    let isWhole = target.count == blockByteCount
    let isSplit =
      flags & Flag.unsplit == 0 && isWhole && elementByteCount <= Blosc.maxStreamCount
      && blockByteCount / elementByteCount >= Blosc.minStreamByteCount
    let streamCount = isSplit ? elementByteCount : 1
    guard target.count.isMultiple(of: streamCount) else { throw damaged }
    let streamByteCount = target.count / streamCount
    var cursor = ByteCursor(frame, path: path, part: item, position: place)
    var streams: [Bytes] = []
    for _ in 0..<streamCount {
      let stored = try cursor.take(Int(try cursor.number(Int32.self)))
      streams.append(try decompress(stored, byteCount: streamByteCount))
    }
    if flags & Flag.bitShuffled != 0, target.count >= elementByteCount {
      Blosc.unshuffleBits(Blosc.joined(streams), elementByteCount, into: target)
    } else if flags & Flag.shuffled != 0, elementByteCount > 1 {
      Blosc.unshuffleBytes(Blosc.joined(streams), elementByteCount, into: target)
    } else {
      Blosc.copy(streams, into: target)
    }
  }

  private func decompress(_ stored: Bytes, byteCount: Int) throws(FileError) -> Bytes {
    // What does not become smaller is stored as it is.
    if stored.count == byteCount { return stored }
    let bytes: Bytes?
    switch codec {
    case .lz4: bytes = LZ4.decompress(stored, byteCount: byteCount)
    case .snappy: bytes = Snappy.decompress(stored, byteCount: byteCount)
    case .zstd: bytes = Zstd.decompress(stored, byteCount: byteCount)
    case .zlib:
      return try Inflater.inflateZlib(stored, byteCount: byteCount, path: path, part: item)
    }
    guard let bytes else { throw damaged }
    return bytes
  }

  // MARK: Sorting by place in an element

  private static func joined(_ streams: [Bytes]) -> Bytes {
    if streams.count == 1 { return streams[0] }
    let buffer = ByteBuffer(capacity: streams.reduce(0) { $0 + $1.count })
    copy(streams, into: buffer.memory)
    return buffer.bytes(count: buffer.memory.count)
  }

  private static func copy(_ streams: [Bytes], into target: UnsafeMutableRawBufferPointer) {
    var filled = 0
    for stream in streams {
      stream.withUnsafeBytes { target[filled..<(filled + $0.count)].copyBytes(from: $0) }
      filled += stream.count
    }
  }

  /// First bytes of all elements, second bytes of all, and so on; then what is no whole element.
  private static func unshuffleBytes(
    _ shuffled: Bytes, _ size: Int, into target: UnsafeMutableRawBufferPointer
  ) {
    let count = target.count / size
    shuffled.withUnsafeBytes { source in
      for byte in 0..<size {
        for element in 0..<count { target[element * size + byte] = source[byte * count + element] }
      }
      let rest = count * size
      target[rest...].copyBytes(from: source[rest...])
    }
  }

  /// First bits of all elements, packed, second bits of all, and so on; then what is no whole element.
  /// Where elements do not fill bytes with their bits, nothing was sorted.
  private static func unshuffleBits(
    _ shuffled: Bytes, _ size: Int, into target: UnsafeMutableRawBufferPointer
  ) {
    let count = target.count / size
    guard count.isMultiple(of: 8) else { return copy([shuffled], into: target) }
    let rowByteCount = count / 8
    shuffled.withUnsafeBytes { source in
      for byte in 0..<size {
        for group in 0..<rowByteCount {
          var bits: UInt64 = 0
          for bit in 0..<8 {
            bits |= UInt64(source[(byte * 8 + bit) * rowByteCount + group]) << UInt64(8 * bit)
          }
          let elements = transposed(bits)
          for element in 0..<8 {
            target[(group * 8 + element) * size + byte] = UInt8(
              truncatingIfNeeded: elements >> UInt64(8 * element))
          }
        }
      }
      let rest = count * size
      target[rest...].copyBytes(from: source[rest...])
    }
  }

  /// Bit i of byte j becomes bit j of byte i.
  private static func transposed(_ bits: UInt64) -> UInt64 {
    var bits = bits
    for (shift, mask) in [
      (7, 0x00AA_00AA_00AA_00AA), (14, 0x0000_CCCC_0000_CCCC), (28, 0x0000_0000_F0F0_F0F0),
    ] as [(UInt64, UInt64)] {
      let swapped = (bits ^ (bits >> shift)) & mask
      bits ^= swapped ^ (swapped << shift)
    }
    return bits
  }
}
