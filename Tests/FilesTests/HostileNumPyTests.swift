import Tensors
import TestSupport
import Testing

@testable import Files

/// Each specific lie that an npy file or a zip archive can tell.
struct HostileNumPyTests {
  private func npy(
    _ header: String, version: UInt8 = 1, byteCount: Int? = nil, data: [UInt8] = [0, 0, 128, 63]
  ) -> [UInt8] {
    let text = Array(header.utf8)
    let count = byteCount ?? text.count
    let size = version == 1 ? little(UInt16(count)) : little(UInt32(count))
    return NPYHeader.magic + [version, 0] + size + text + data
  }

  private func read(_ bytes: [UInt8]) throws -> StoredTensor {
    let folder = try TemporaryFolder()
    return try NPYFile.read(path: try folder.write(bytes, to: "x.npy"))
  }

  private func readArchive(_ builder: ZipBuilder) throws -> [[Double]] {
    let folder = try TemporaryFolder()
    let file = try NPZFile(path: try folder.write(builder.bytes, to: "x.npz"))
    return try file.names.map { try file.storedTensor(named: $0).doubles }
  }

  private let one = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }\n"

  @Test func validArraysAreRead() throws {
    #expect(try read(npy(one)).doubles == [1])
    #expect(try read(npy(one, version: 2)).doubles == [1])
    #expect(
      try read(npy("{\"shape\":(1L,),\"descr\":\"<f4\",\"fortran_order\":True}")).doubles == [1])
    #expect(try read(npy("{'descr':'<f4','fortran_order':False,'shape':()}")).shape == [])
    let empty = "{'descr':'<f4','fortran_order':True,'shape':(3,0,2)}"
    #expect(try read(npy(empty, data: [])).shape == [3, 0, 2])
  }

  @Test(arguments: [
    ("a huge shape", "{'descr':'<f4','fortran_order':False,'shape':(1000000000000,)}"),
    ("an overflow", "{'descr':'<f4','fortran_order':False,'shape':(4294967296,4294967296)}"),
    (
      "an overflow of empty shapes",
      "{'descr':'<f4','fortran_order':True,'shape':(0,9223372036854775807,9)}"
    ),
    (
      "a size beyond 64 bits",
      "{'descr':'<f4','fortran_order':False,'shape':(99999999999999999999,)}"
    ),
    ("a negative size", "{'descr':'<f4','fortran_order':False,'shape':(-1,)}"),
    ("too few elements", "{'descr':'<f4','fortran_order':False,'shape':(2,)}"),
    ("too many elements", "{'descr':'<f2','fortran_order':False,'shape':(1,)}"),
    ("no shape", "{'descr':'<f4','fortran_order':False}"),
    ("a repeated key", "{'descr':'<f4','descr':'<f4','fortran_order':False,'shape':(1,)}"),
    ("another key", "{'descr':'<f4','fortran_order':False,'shape':(1,),'x':1}"),
    ("an expression", "{'descr':'<f4','fortran_order':False,'shape':(1+1,)}"),
    ("a call", "__import__('os').system('true')"),
    ("a text that does not end", "{'descr"), ("nothing", ""),
    ("something after the dictionary", "{'descr':'<f4','fortran_order':False,'shape':(1,)}x"),
  ])
  func headersThatLie(what: String, header: String) {
    let error = #expect(throws: FileError.self, "\(what)") { _ = try read(npy(header)) }
    #expect(error?.kind == .malformed || error?.kind == .truncated, "\(what)")
  }

  @Test(arguments: ["objects.npy", "structured.npy"])
  func typesThatAreNotReadAreNamed(name: String) throws {
    let error = #expect(throws: FileError.self) { try NPYFile.read(path: Goldens.path(name)) }
    #expect(error?.kind == .unsupported)
    let word = ["objects.npy": "|O", "structured.npy": "structured"][name]
    #expect(error?.description.contains(try #require(word)) == true)
  }

  @Test func lengthsThatLie() {
    #expect(throws: FileError.self) { try read(npy(one, byteCount: 65_535)) }
    #expect(throws: FileError.self) { try read(npy(one, version: 2, byteCount: 0xFFFF_FFFF)) }
    #expect(throws: FileError.self) { try read(npy(one, version: 4)) }
    #expect(throws: FileError.self) { try read(NPYHeader.magic) }
    #expect(throws: FileError.self) { try read([]) }
  }

  // MARK: Archives

  @Test func validArchivesAreRead() throws {
    #expect(try readArchive(ZipBuilder(["a.npy": npy(one), "other": [1]])) == [[1]])
    var builder = ZipBuilder(["a.npy": npy(one)])
    builder.comment = Array("a comment".utf8)
    #expect(try readArchive(builder) == [[1]])
    #expect(try readArchive(ZipBuilder([try .init(deflating: "a.npy", npy(one))])) == [[1]])
  }

  /// A thousand to one is what deflate can do; what it really gives is given.
  @Test func zerosInflate() throws {
    let header = "{'descr':'|u1','fortran_order':False,'shape':(3000000,)}"
    let contents = npy(header, data: [UInt8](repeating: 0, count: 3_000_000))
    let member = try ZipBuilder.Member(deflating: "a.npy", contents)
    #expect(member.contents.count < 4_000)
    let folder = try TemporaryFolder()
    let file = try NPZFile(path: try folder.write(ZipBuilder([member]).bytes, to: "x.npz"))
    #expect(try file.storedTensor(named: "a").byteCount == 3_000_000)
  }

  @Test func sizesThatCannotBeAreRefusedBeforeAllocating() throws {
    var member = try ZipBuilder.Member(deflating: "a.npy", npy(one))
    member.byteCount = 0xFFFF_FFF0
    let error = #expect(throws: FileError.self) { try readArchive(ZipBuilder([member])) }
    #expect(error?.problem.contains("cannot stand for") == true)
  }

  /// The claim is possible for so many bytes, but not what they say.
  @Test func sizesThatAreNotTrueAreRefused() throws {
    let contents = npy(one)
    for byteCount in [contents.count - 1, contents.count + 1, contents.count + 10_000] {
      var member = try ZipBuilder.Member(deflating: "a.npy", contents)
      member.byteCount = UInt32(byteCount)
      #expect(throws: FileError.self, "\(byteCount)") { try readArchive(ZipBuilder([member])) }
      // A header that goes with the claim, so that only inflating shows the lie.
      let header = "{'descr':'|u1','fortran_order':False,'shape':(\(byteCount - 70),)}"
      var matching = try ZipBuilder.Member(
        deflating: "a.npy",
        npy(header + String(repeating: " ", count: 60 - header.count), data: [1, 1, 1, 1]))
      matching.byteCount = UInt32(byteCount)
      #expect(throws: FileError.self, "\(byteCount)") { try readArchive(ZipBuilder([matching])) }
    }
  }

  @Test func damagedContentsAreRefused() throws {
    var stored = ZipBuilder.Member("a.npy", npy(one))
    stored.contents[stored.contents.count - 1] ^= 1
    let sum = #expect(throws: FileError.self) { try readArchive(ZipBuilder([stored])) }
    #expect(sum?.problem.contains("checksum") == true)
    var deflated = try ZipBuilder.Member(deflating: "a.npy", npy(one))
    deflated.contents = [UInt8](repeating: 0xFF, count: deflated.contents.count)
    #expect(throws: FileError.self) { try readArchive(ZipBuilder([deflated])) }
  }

  /// Members that share their bytes expand a small file without bound.
  @Test func overlappingMembersAreRefused() {
    var builder = ZipBuilder(["a.npy": npy(one), "b.npy": npy(one)])
    builder.members[1].localStart = 0
    builder.members[1].localName = "b.npy"
    #expect(throws: FileError.self) { try readArchive(builder) }
    builder.members[1].name = "a.npy"
    #expect(throws: FileError.self) { try readArchive(builder) }
    // The first member reaches over the second one.
    var long = ZipBuilder(["a.npy": npy(one), "b.npy": npy(one)])
    long.members[0].compressedByteCount += 20
    long.members[0].byteCount += 20
    let error = #expect(throws: FileError.self) { try readArchive(long) }
    #expect(error?.problem.contains("overlaps") == true)
  }

  @Test func directoriesThatLieAreRefused() {
    func expectError(_ what: String, _ change: (inout ZipBuilder) -> Void) {
      var builder = ZipBuilder(["a.npy": npy(one), "b.npy": npy(one)])
      change(&builder)
      #expect(throws: FileError.self, "\(what)") { try readArchive(builder) }
    }
    expectError("more members than there are") { $0.memberCount = 3 }
    expectError("fewer members than there are") { $0.memberCount = 1 }
    expectError("the most members") { $0.memberCount = .max }
    expectError("a directory elsewhere") { $0.directoryStart = 7 }
    expectError("a directory past the end") { $0.directoryStart = 0xFFFF_FFF0 }
    expectError("a zip64 directory that is not there") { $0.directoryStart = .max }
    expectError("too long a directory") { $0.directoryByteCount = 100_000 }
    expectError("a member elsewhere") { $0.members[0].localStart = 3 }
    expectError("a member past the end") { $0.members[0].localStart = 0x7FFF_FFFF }
    expectError("a member with 64-bit sizes that are missing") { $0.members[0].localStart = .max }
    expectError("another name in the member") { $0.members[0].localName = "c.npy" }
    expectError("a name twice") {
      $0.members[1].name = "a.npy"
      $0.members[1].localName = "a.npy"
    }
    expectError("more bytes than there are") {
      $0.members[1].compressedByteCount = 0x7FFF_FFFF
      $0.members[1].byteCount = 0x7FFF_FFFF
    }
    expectError("unequal sizes of a stored member") { $0.members[1].byteCount -= 1 }
    expectError("encryption") { $0.members[0].flags = 1 }
    expectError("an unknown compression") { $0.members[0].method = 99 }
  }

  /// Records with 64-bit numbers that reach past the end or overflow.
  @Test(arguments: [0, 1 << 40, UInt64.max, 1 << 63])
  func wideDirectoriesThatLieAreRefused(number: UInt64) {
    var builder = ZipBuilder(["a.npy": npy(one)])
    builder.memberCount = .max
    let record =
      little(UInt32(0x0606_4B50)) + little(UInt64(44)) + [45, 0, 45, 0]
      + [UInt8](repeating: 0, count: 8) + little(number) + little(number) + little(number)
      + little(number)
    let directoryEnd = ZipBuilder(["a.npy": npy(one)]).bytes.count - 22
    for position in [UInt64(directoryEnd), number] {
      builder.zip64Records =
        record + little(UInt32(0x0706_4B50)) + little(UInt32(0)) + little(position)
        + little(UInt32(1))
      #expect(throws: FileError.self) { try readArchive(builder) }
    }
    builder.memberCount = nil
    builder.zip64Records = []
    builder.members[0].byteCount = .max
    builder.members[0].compressedByteCount = .max
    builder.members[0].extra =
      little(UInt16(1)) + little(UInt16(16)) + little(number) + little(number)
    #expect(throws: FileError.self) { try readArchive(builder) }
  }
}
