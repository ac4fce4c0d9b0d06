/// Writes a zip archive member by member.
///
/// Sizes that need 64 bits are written as zip64. All members carry the same date, the format's
/// first, so that equal contents give equal archives.
struct ZipWriter {
  private let path: String
  /// Writes zip64 fields even where 32 bits would do; for tests.
  private let usesZip64Always: Bool
  private var directory: [UInt8] = []
  private var memberCount = 0
  private var position = 0

  private static let utf8Names: UInt16 = 1 << 11
  private static let firstDate: UInt16 = 0x21

  init(path: String, usesZip64Always: Bool = false) {
    self.path = path
    self.usesZip64Always = usesZip64Always
  }

  /// Adds a member whose contents are the pieces, one after the other.
  mutating func append(
    _ pieces: [Bytes], named name: String, isCompressed: Bool, to file: borrowing AtomicFile
  ) throws(FileError) {
    guard name.utf8.count <= Int(UInt16.max) else {
      throw FileError(.tooLarge, path: path, item: name, problem: "is too long a name")
    }
    let checksum = pieces.reduce(0) { checksum, piece in
      piece.withUnsafeBytes { Checksum.crc32($0, from: checksum) }
    }
    let byteCount = pieces.reduce(0) { $0 + $1.count }
    let contents = isCompressed ? [try Deflater.deflate(pieces, path: path)] : pieces
    let compressedByteCount = contents.reduce(0) { $0 + $1.count }
    let isWide =
      usesZip64Always || max(byteCount, compressedByteCount, position) >= Int(UInt32.max)

    let version: UInt16 = isWide ? 45 : 20
    var common = littleEndianBytes(version) + littleEndianBytes(ZipWriter.utf8Names)
    common += littleEndianBytes(UInt16(isCompressed ? 8 : 0))
    common += littleEndianBytes(UInt16(0)) + littleEndianBytes(ZipWriter.firstDate)
    common += littleEndianBytes(checksum)
    common += field(compressedByteCount, isWide) + field(byteCount, isWide)
    common += littleEndianBytes(UInt16(name.utf8.count))

    let sizes = [byteCount, compressedByteCount].flatMap { littleEndianBytes(UInt64($0)) }
    var local = littleEndianBytes(ZipDirectory.Signature.local) + common
    let localExtra = isWide ? ZipWriter.extra(sizes) : []
    local += littleEndianBytes(UInt16(localExtra.count)) + Array(name.utf8) + localExtra

    let centralExtra = isWide ? ZipWriter.extra(sizes + littleEndianBytes(UInt64(position))) : []
    directory += littleEndianBytes(ZipDirectory.Signature.central) + littleEndianBytes(version)
    directory += common + littleEndianBytes(UInt16(centralExtra.count))
    // No comment, first disk, no attributes.
    directory += [UInt8](repeating: 0, count: 2 + 2 + 2 + 4)
    directory += field(position, isWide) + Array(name.utf8) + centralExtra

    try file.append(local)
    for piece in contents {
      try piece.withUnsafeBytes { bytes throws(FileError) in try file.append(bytes) }
    }
    position += local.count + compressedByteCount
    memberCount += 1
  }

  /// Writes the directory.
  mutating func finish(to file: borrowing AtomicFile) throws(FileError) {
    let isWide =
      usesZip64Always || memberCount >= Int(UInt16.max)
      || max(position, directory.count) >= Int(UInt32.max)
    var end: [UInt8] = []
    if isWide {
      end += littleEndianBytes(ZipDirectory.Signature.end64) + littleEndianBytes(UInt64(44))
      end += littleEndianBytes(UInt16(45)) + littleEndianBytes(UInt16(45))
      end += [UInt8](repeating: 0, count: 8)
      end += littleEndianBytes(UInt64(memberCount)) + littleEndianBytes(UInt64(memberCount))
      end += littleEndianBytes(UInt64(directory.count)) + littleEndianBytes(UInt64(position))
      end += littleEndianBytes(ZipDirectory.Signature.locator64) + littleEndianBytes(UInt32(0))
      end += littleEndianBytes(UInt64(position + directory.count)) + littleEndianBytes(UInt32(1))
    }
    let shortCount = isWide ? UInt16.max : UInt16(memberCount)
    end += littleEndianBytes(ZipDirectory.Signature.end) + [0, 0, 0, 0]
    end += littleEndianBytes(shortCount) + littleEndianBytes(shortCount)
    end += field(directory.count, isWide) + field(position, isWide) + [0, 0]
    try file.append(directory)
    try file.append(end)
  }

  /// A 32-bit field, or the mark that the number is in the zip64 field.
  private func field(_ number: Int, _ isWide: Bool) -> [UInt8] {
    littleEndianBytes(isWide ? UInt32.max : UInt32(number))
  }

  private static func extra(_ contents: [UInt8]) -> [UInt8] {
    littleEndianBytes(UInt16(1)) + littleEndianBytes(UInt16(contents.count)) + contents
  }
}
