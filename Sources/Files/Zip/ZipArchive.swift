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

/// Reads the directory at the end of a zip archive and checks that its members can be what they
/// claim.
struct ZipDirectory {
  private let bytes: Bytes
  private let path: String

  enum Signature {
    static let local: UInt32 = 0x0403_4B50
    static let central: UInt32 = 0x0201_4B50
    static let end: UInt32 = 0x0605_4B50
    static let end64: UInt32 = 0x0606_4B50
    static let locator64: UInt32 = 0x0706_4B50
  }

  private static let endByteCount = 22
  private static let locatorByteCount = 20
  private static let maxMemberCount = 1 << 20
  private static let isEncrypted: UInt16 = 1

  init(_ bytes: Bytes, path: String) {
    self.bytes = bytes
    self.path = path
  }

  func members() throws(FileError) -> [ZipArchive.Member] {
    let place = try directoryPlace()
    var cursor = ByteCursor(
      bytes[0..<place.range.upperBound], path: path, part: "zip directory",
      position: place.range.lowerBound)
    // The claimed count is compared at the end, not trusted to reserve memory.
    var members: [ZipArchive.Member] = []
    var names: Set<String> = []
    var ranges: [Range<Int>] = []
    while cursor.remainingCount > 0 {
      let (member, localRange) = try member(&cursor, directoryStart: place.range.lowerBound)
      guard names.insert(member.name).inserted else {
        throw malformed("has two members of this name", item: member.name)
      }
      guard members.count < ZipDirectory.maxMemberCount else {
        throw FileError(.tooLarge, path: path, problem: "has more than a million members")
      }
      members.append(member)
      ranges.append(localRange)
    }
    guard members.count == place.memberCount else {
      throw malformed("has \(members.count) members, but claims \(place.memberCount)")
    }
    try checkOverlaps(ranges, members)
    return members
  }

  /// Overlapping members let a small file expand without bound.
  private func checkOverlaps(
    _ ranges: [Range<Int>], _ members: [ZipArchive.Member]
  ) throws(FileError) {
    let order = ranges.indices.sorted { ranges[$0].lowerBound < ranges[$1].lowerBound }
    for (index, next) in zip(order, order.dropFirst())
    where ranges[index].upperBound > ranges[next].lowerBound {
      throw malformed("overlaps '\(members[index].name)'", item: members[next].name)
    }
  }

  private func malformed(_ problem: String, item: String? = nil) -> FileError {
    FileError(
      .malformed, path: path, item: item, problem: problem,
      advice: "the file is damaged or hostile")
  }
}

// MARK: - The end of the archive

extension ZipDirectory {
  private typealias Place = (range: Range<Int>, memberCount: Int)

  private func directoryPlace() throws(FileError) -> Place {
    let end = try endPosition()
    var cursor = ByteCursor(bytes, path: path, part: "zip end record", position: end + 4)
    let diskNumbers = (try cursor.number(UInt16.self), try cursor.number(UInt16.self))
    let diskMemberCount = try cursor.number(UInt16.self)
    let memberCount = try cursor.number(UInt16.self)
    let byteCount = try cursor.number(UInt32.self)
    let start = try cursor.number(UInt32.self)
    // Some writers, PyTorch among them, add the 64-bit record also where 32 bits would do.
    if let place = try directoryPlace64(before: end) { return place }
    guard diskNumbers == (0, 0), diskMemberCount == memberCount else {
      throw malformed("is a zip archive of several parts")
    }
    return try place(
      start: UInt64(start), byteCount: UInt64(byteCount), memberCount: UInt64(memberCount),
      limit: end)
  }

  /// Searches backwards: a comment of up to 65,535 bytes may follow the end record.
  private func endPosition() throws(FileError) -> Int {
    let last = bytes.count - ZipDirectory.endByteCount
    let first = max(0, last - Int(UInt16.max))
    for position in stride(from: last, through: first, by: -1)
    where bytes.number(at: position, as: UInt32.self) == Signature.end {
      let commentByteCount = Int(bytes.number(at: position + 20, as: UInt16.self))
      if position + ZipDirectory.endByteCount + commentByteCount == bytes.count { return position }
    }
    throw FileError(
      .truncated, path: path, problem: "has no zip directory at its end",
      advice: "the file is incomplete or not a zip archive: fetch or save it again")
  }

  private func directoryPlace64(before end: Int) throws(FileError) -> Place? {
    let position = end - ZipDirectory.locatorByteCount
    guard position >= 0, bytes.number(at: position, as: UInt32.self) == Signature.locator64 else {
      return nil
    }
    let recordPosition = bytes.number(at: position + 8, as: UInt64.self)
    guard recordPosition < UInt64(position) else {
      throw malformed("has its zip64 directory outside the file")
    }
    var cursor = ByteCursor(
      bytes[0..<position], path: path, part: "zip64 end record", position: Int(recordPosition))
    guard try cursor.number(UInt32.self) == Signature.end64 else {
      throw malformed("has no zip64 directory where it claims one")
    }
    try cursor.advance(8 + 2 + 2)
    let diskNumbers = (try cursor.number(UInt32.self), try cursor.number(UInt32.self))
    let diskMemberCount = try cursor.number(UInt64.self)
    let memberCount = try cursor.number(UInt64.self)
    let byteCount = try cursor.number(UInt64.self)
    let start = try cursor.number(UInt64.self)
    guard diskNumbers == (0, 0), diskMemberCount == memberCount else {
      throw malformed("is a zip archive of several parts")
    }
    return try place(
      start: start, byteCount: byteCount, memberCount: memberCount, limit: Int(recordPosition))
  }

  private func place(
    start: UInt64, byteCount: UInt64, memberCount: UInt64, limit: Int
  ) throws(FileError) -> Place {
    guard let start = Int(exactly: start), let byteCount = Int(exactly: byteCount),
      let memberCount = Int(exactly: memberCount), let end = Checked.sum(start, byteCount),
      end == limit
    else { throw malformed("has its zip directory elsewhere than at its end") }
    return (start..<end, memberCount)
  }
}

// MARK: - One member

extension ZipDirectory {
  private func member(
    _ cursor: inout ByteCursor, directoryStart: Int
  ) throws(FileError) -> (ZipArchive.Member, Range<Int>) {
    guard try cursor.number(UInt32.self) == Signature.central else {
      throw malformed("has a damaged zip directory")
    }
    try cursor.advance(4)
    let flags = try cursor.number(UInt16.self)
    let method = try cursor.number(UInt16.self)
    try cursor.advance(4)
    let checksum = try cursor.number(UInt32.self)
    var sizes = Sizes(
      compressed: UInt64(try cursor.number(UInt32.self)),
      uncompressed: UInt64(try cursor.number(UInt32.self)))
    let nameByteCount = Int(try cursor.number(UInt16.self))
    let extraByteCount = Int(try cursor.number(UInt16.self))
    let commentByteCount = Int(try cursor.number(UInt16.self))
    try cursor.advance(2 + 2 + 4)
    sizes.localStart = UInt64(try cursor.number(UInt32.self))
    let nameBytes = try cursor.take(nameByteCount)
    let name = nameBytes.text
    try sizes.widen(by: try cursor.take(extraByteCount), path: path, part: name)
    try cursor.advance(commentByteCount)

    guard flags & ZipDirectory.isEncrypted == 0 else {
      throw FileError(.unsupported, path: path, item: name, problem: "is encrypted")
    }
    let compression = try compression(method, name: name)
    guard let localStart = Int(exactly: sizes.localStart),
      let compressedByteCount = Int(exactly: sizes.compressed),
      let byteCount = Int(exactly: sizes.uncompressed), localStart < directoryStart
    else { throw malformed("lies outside the file", item: name) }
    let start = try contentsStart(
      localStart: localStart, directoryStart: directoryStart, nameBytes: nameBytes, name: name)
    guard compressedByteCount <= directoryStart - start else {
      throw malformed("claims \(compressedByteCount) bytes, more than the file holds", item: name)
    }
    let limit =
      compression == .stored
      ? compressedByteCount : Inflater.maxByteCount(from: compressedByteCount)
    guard byteCount <= limit, compression == .deflated || byteCount == compressedByteCount else {
      throw malformed(
        "claims \(byteCount) bytes, which \(compressedByteCount) cannot stand for", item: name)
    }
    let range = start..<(start + compressedByteCount)
    let member = ZipArchive.Member(
      name: name, compression: compression, byteCount: byteCount, checksum: checksum, range: range)
    return (member, localStart..<range.upperBound)
  }

  private func compression(
    _ method: UInt16, name: String
  ) throws(FileError) -> ZipArchive.Compression {
    switch method {
    case 0: return .stored
    case 8: return .deflated
    default:
      throw FileError(
        .unsupported, path: path, item: name,
        problem: "is compressed by zip method \(method), not stored or deflated",
        advice: "save it again with an ordinary zip program")
    }
  }

  /// Where the contents begin, after the member's own header.
  private func contentsStart(
    localStart: Int, directoryStart: Int, nameBytes: Bytes, name: String
  ) throws(FileError) -> Int {
    var cursor = ByteCursor(
      bytes[0..<directoryStart], path: path, part: name, position: localStart)
    guard try cursor.number(UInt32.self) == Signature.local else {
      throw malformed("is not where the zip directory states", item: name)
    }
    try cursor.advance(22)
    let nameByteCount = Int(try cursor.number(UInt16.self))
    let extraByteCount = Int(try cursor.number(UInt16.self))
    let localName = try cursor.take(nameByteCount)
    guard localName.elementsEqual(nameBytes) else {
      throw malformed("has another name in its own header", item: name)
    }
    try cursor.advance(extraByteCount)
    return cursor.position
  }

  private struct Sizes {
    var compressed: UInt64
    var uncompressed: UInt64
    var localStart: UInt64 = 0

    private static let zip64Tag: UInt16 = 1

    /// Takes from the zip64 extra field what does not fit 32 bits.
    mutating func widen(by extra: Bytes, path: String, part: String) throws(FileError) {
      guard [compressed, uncompressed, localStart].contains(UInt64(UInt32.max)) else { return }
      var cursor = ByteCursor(extra, path: path, part: part)
      while cursor.remainingCount >= 4 {
        let tag = try cursor.number(UInt16.self)
        var field = ByteCursor(
          try cursor.take(Int(try cursor.number(UInt16.self))), path: path, part: part)
        guard tag == Sizes.zip64Tag else { continue }
        if uncompressed == UInt64(UInt32.max) { uncompressed = try field.number() }
        if compressed == UInt64(UInt32.max) { compressed = try field.number() }
        if localStart == UInt64(UInt32.max) { localStart = try field.number() }
        return
      }
    }
  }
}
