/// A zip archive, mapped into memory, whose directory was checked against the file.
struct ZipArchive: Sendable {
  enum Compression: Sendable { case stored, deflated }

  struct Member: Sendable {
    let name: String
    let compression: Compression
    /// The size of the contents, as claimed; checked when they are read.
    let byteCount: Int
    let checksum: UInt32
    /// Of the compressed contents in the file.
    let range: Range<Int>
  }

  let path: String
  /// In the order of the directory.
  let members: [Member]
  private let bytes: Bytes

  init(path: String) throws(FileError) {
    self = try ZipArchive(try MappedFile.bytes(path: path), path: path)
  }

  init(_ bytes: Bytes, path: String) throws(FileError) {
    self.bytes = bytes
    self.path = path
    members = try ZipDirectory(bytes, path: path).members()
  }

  /// The member of that name; nil if there is none.
  func member(named name: String) -> Member? { members.first { $0.name == name } }

  /// The contents of a member, checked against its checksum.
  func contents(of member: Member) throws(FileError) -> Bytes {
    let contents: Bytes
    switch member.compression {
    case .stored: contents = bytes[member.range]
    case .deflated:
      contents = try Inflater.inflate(
        bytes[member.range], byteCount: member.byteCount, path: path, part: member.name)
    }
    let checksum = contents.withUnsafeBytes { Checksum.crc32($0) }
    guard checksum == member.checksum else {
      throw FileError(
        .malformed, path: path, item: member.name, problem: "does not match its checksum",
        advice: "the file is damaged: fetch or save it again")
    }
    return contents
  }

  /// The first bytes of a member's contents, unchecked.
  func contents(of member: Member, limit: Int) throws(FileError) -> Bytes {
    let count = min(limit, member.byteCount)
    switch member.compression {
    case .stored: return bytes[member.range][0..<count]
    case .deflated:
      return try Inflater.prefix(
        of: bytes[member.range], byteCount: count, path: path, part: member.name)
    }
  }
}
