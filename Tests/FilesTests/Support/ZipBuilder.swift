@testable import Files

/// Makes zip archives in memory, also ones that lie.
struct ZipBuilder {
  struct Member {
    var name: String
    /// As they lie in the file.
    var contents: [UInt8]
    var method: UInt16 = 0
    var flags: UInt16 = 0
    var checksum: UInt32
    var byteCount: UInt32
    var compressedByteCount: UInt32
    /// The name in the member's own header.
    var localName: String
    /// Where the directory says that the member is; nil for the truth.
    var localStart: UInt32?
    var extra: [UInt8] = []

    init(_ name: String, _ contents: [UInt8]) {
      self.name = name
      self.contents = contents
      localName = name
      checksum = contents.withUnsafeBytes { Checksum.crc32($0) }
      byteCount = UInt32(contents.count)
      compressedByteCount = UInt32(contents.count)
    }

    /// A member whose contents are compressed.
    init(deflating name: String, _ contents: [UInt8]) throws {
      let compressed = try Deflater.deflate([Bytes(copying: contents)], path: name)
      self.init(name, compressed.withUnsafeBytes { Array($0) })
      method = 8
      checksum = contents.withUnsafeBytes { Checksum.crc32($0) }
      byteCount = UInt32(contents.count)
    }
  }

  var members: [Member] = []
  /// What the end record says; nil for the truth.
  var memberCount: UInt16?
  var directoryStart: UInt32?
  var directoryByteCount: UInt32?
  var comment: [UInt8] = []
  /// Put between the directory and the end record.
  var zip64Records: [UInt8] = []

  init(_ members: [Member]) { self.members = members }

  init(_ contents: [String: [UInt8]]) {
    members = contents.sorted { $0.key < $1.key }.map { Member($0.key, $0.value) }
  }

  var bytes: [UInt8] {
    var bytes: [UInt8] = []
    var directory: [UInt8] = []
    for member in members {
      let start = UInt32(bytes.count)
      let common =
        little(UInt16(20)) + little(member.flags) + little(member.method) + [0, 0, 0x21, 0]
        + little(member.checksum) + little(member.compressedByteCount) + little(member.byteCount)
      bytes += little(UInt32(0x0403_4B50)) + common + little(UInt16(member.localName.utf8.count))
      bytes += [0, 0] + Array(member.localName.utf8) + member.contents
      directory += little(UInt32(0x0201_4B50)) + [20, 0] + common
      directory += little(UInt16(member.name.utf8.count)) + little(UInt16(member.extra.count))
      directory += [UInt8](repeating: 0, count: 10) + little(member.localStart ?? start)
      directory += Array(member.name.utf8) + member.extra
    }
    let count = memberCount ?? UInt16(members.count)
    var end = little(UInt32(0x0605_4B50)) + [0, 0, 0, 0] + little(count) + little(count)
    end += little(directoryByteCount ?? UInt32(directory.count))
    end += little(directoryStart ?? UInt32(bytes.count)) + little(UInt16(comment.count)) + comment
    return bytes + directory + zip64Records + end
  }
}

/// The bytes of a number, least significant first.
func little<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
  withUnsafeBytes(of: number.littleEndian) { Array($0) }
}
