import Foundation
import TestSupport
import Testing

@testable import Files

/// What `Goldens/Zarr/make_zarr.py` wrote with zarr 2 and 3.
enum ZarrGoldens {
  static let buffers = ["v2", "v3", "v2.zarr.zip"]

  static func path(_ name: String) -> String { Repository.golden("Zarr/\(name)") }

  /// The numbers of the array of a number, as the script makes them.
  static func values(count: Int, number: Int, isFloatingPoint: Bool = true) -> [Double] {
    (0..<count).map { Double(($0 * 7 + number) % 101) / (isFloatingPoint ? 2 : 1) }
  }
}

@Test(arguments: ZarrGoldens.buffers)
func zarrReplayBuffersMatchZarr(name: String) throws {
  let file = try ZarrFile(path: ZarrGoldens.path(name))
  let shapes = [
    ("state", [20, 5]), ("action", [20, 2]), ("keypoint", [20, 9, 2]), ("reward", [20]),
    ("img", [20, 4, 4, 3]),
  ]
  #expect(file.names == (shapes.map { "data/\($0.0)" } + ["meta/episode_ends"]).sorted())
  #expect(file.unreadable.isEmpty)
  for (number, (name, shape)) in shapes.enumerated() {
    let stored = try file.storedTensor(named: "data/\(name)")
    #expect(stored.elementType == .float32 && stored.shape == shape)
    #expect(file.layout(of: "data/\(name)")?.shape == shape)
    #expect(stored.doubles == ZarrGoldens.values(count: stored.count, number: number), "\(name)")
  }
  #expect(try file.integers(named: "meta/episode_ends") == [3, 7, 12, 20])
  let missing = #expect(throws: FileError.self) { try file.storedTensor(named: "data/stat") }
  #expect(missing?.description.contains("did you mean 'data/state'?") == true)
}

@Test func bloscMatchesNumcodecs() throws {
  let file = try ZarrFile(path: ZarrGoldens.path("arrays2.zarr.zip"))
  var number = 0
  for codec in ["lz4", "zstd", "zlib"] {
    for shuffle in ["none", "byte", "bit"] {
      for (code, type) in [("f4", .float32), ("f8", .float64), ("u1", .uint8), ("i2", .int16)]
        as [(String, ElementType)]
      {
        let name = "\(codec)_\(shuffle)_\(code)"
        let stored = try file.storedTensor(named: name)
        #expect(stored.elementType == type && stored.count >= 1_003)
        let expected = ZarrGoldens.values(
          count: stored.count, number: number, isFloatingPoint: type.isFloatingPoint)
        #expect(stored.doubles == expected, "\(name)")
        number += 1
      }
    }
  }
  for name in ["plain_zstd", "plain_zlib", "plain_gzip", "plain_lz4", "slashes", "swapped"] {
    let stored = try file.storedTensor(named: name)
    #expect(stored.shape == [9, 7] && stored.elementType == .float32)
    #expect(stored.doubles == ZarrGoldens.values(count: 63, number: number), "\(name)")
    number += 1
  }
  let random = try NPYFile.read(path: ZarrGoldens.path("random.npy"))
  #expect(try file.storedTensor(named: "random").doubles == random.doubles)
}

/// Single numbers, chunks that were never written, and what is refused by name.
@Test(arguments: ["arrays2", "arrays3"])
func zarrArraysOfOtherKinds(name: String) throws {
  let file = try ZarrFile(path: ZarrGoldens.path("\(name).zarr.zip"))
  let scalar = try file.storedTensor(named: "scalar")
  #expect(scalar.shape == [] && scalar.doubles == [3.5])
  let bools = try file.storedTensor(named: "bools")
  #expect(bools.elementType == .bool && bools.integers == (0..<10).map { $0 % 3 == 0 ? 1 : 0 })
  let missing = try file.storedTensor(named: "missing")
  let expected = (0..<24).map { (8..<16).contains($0) && $0 % 4 < 3 ? 7 : 2.5 }
  #expect(missing.shape == [6, 4] && missing.doubles == expected)
  if name == "arrays2" {
    #expect(try file.storedTensor(named: "nan").doubles.allSatisfy(\.isNaN))
    #expect(Set(file.unreadable.keys) == ["texts", "fortran", "filtered"])
    for (name, words) in [("texts", "<U3"), ("fortran", "order F"), ("filtered", "delta")] {
      #expect(file.unreadable[name]?.contains(words) == true, "\(file.unreadable)")
    }
    let error = #expect(throws: FileError.self) { try file.storedTensor(named: "blosclz") }
    #expect(error?.kind == .unsupported && error?.description.contains("blosclz") == true)
  } else {
    for name in ["big", "dots", "v2keys"] {
      let stored = try file.storedTensor(named: name)
      #expect(stored.shape == [9, 7])
      #expect(stored.doubles == ZarrGoldens.values(count: 63, number: 0), "\(name)")
    }
    let refused = [
      ("sharded", "sharding_indexed"), ("checked", "crc32c"), ("transposed", "transpose"),
    ]
    #expect(Set(file.unreadable.keys) == Set(refused.map(\.0)))
    for (name, codec) in refused {
      let error = #expect(throws: FileError.self) { try file.storedTensor(named: name) }
      #expect(error?.kind == .unsupported && error?.description.contains("'\(codec)'") == true)
    }
  }
}

@Test func zarrIsSummarized() throws {
  for name in ZarrGoldens.buffers {
    let path = ZarrGoldens.path(name)
    #expect(try FileKind(path: path) == .zarr)
    let summary = try FileSummary(path: path)
    #expect(summary.kind == "zarr" && summary.tensors.count == 6)
    #expect(summary.tensors.first { $0.name == "data/img" }?.shape == [20, 4, 4, 3])
  }
  let items = try FileSummary(path: ZarrGoldens.path("arrays3.zarr.zip")).items
  #expect(items.contains { $0.name == "checked" && $0.value.contains("crc32c") })
  // A folder that was packed, rather than what is in it.
  let folder = try TemporaryFolder()
  let members = try ZipArchive(path: ZarrGoldens.path("v2.zarr.zip"))
  var packed: [String: [UInt8]] = [:]
  for member in members.members {
    packed["pusht/x.zarr/\(member.name)"] = try members.contents(of: member)
      .withUnsafeBytes { Array($0) }
  }
  let path = try folder.write(ZipBuilder(packed).bytes, to: "x.zarr.zip")
  #expect(try ZarrFile(path: path).names.count == 6)
}

/// What reading the array of a folder gives, which is made of texts.
///
/// - Parameters:
///   - metadata: of the array `x`, version 2.
///   - chunks: its files.
///   - read: what is done with the folder.
private func reading<Result>(
  _ metadata: String, chunks: [String: [UInt8]] = [:],
  _ read: (_ path: String) throws -> Result = { try ZarrFile(path: $0).storedTensor(named: "x") }
) throws -> Result {
  let folder = try TemporaryFolder()
  try FileManager.default.createDirectory(
    atPath: folder.file("x"), withIntermediateDirectories: true)
  _ = try folder.write(Array("{\"zarr_format\": 2}".utf8), to: ".zgroup")
  _ = try folder.write(Array(metadata.utf8), to: "x/.zarray")
  for (name, bytes) in chunks { _ = try folder.write(bytes, to: "x/\(name)") }
  return try withExtendedLifetime(folder) { try read(folder.path) }
}

private func metadata(_ changes: [String: String] = [:]) -> String {
  let members = [
    "zarr_format": "2", "shape": "[4]", "chunks": "[2]", "dtype": "\"<f4\"", "order": "\"C\"",
    "compressor": "null", "fill_value": "0", "filters": "null",
  ].merging(changes) { $1 }
  return "{" + members.map { "\"\($0)\": \($1)" }.joined(separator: ", ") + "}"
}

@Test func liesInZarrMetadataAreErrors() throws {
  let whole = try reading(metadata(), chunks: ["0": [UInt8](repeating: 0, count: 8)])
  #expect(whole.doubles == [0, 0, 0, 0])
  let lies = [
    ["zarr_format": "7"], ["shape": "[-1]"], ["shape": "[1.5]"], ["shape": "4"],
    ["chunks": "[0]"], ["chunks": "[2, 2]"], ["chunks": "[4611686018427387904]"],
    ["shape": "[4611686018427387904]", "chunks": "[4611686018427387904]"],
    ["dtype": "7"], ["compressor": "[]"], ["compressor": "{}"],
    ["shape": "[\(Array(repeating: "1", count: 40).joined(separator: ","))]"],
    ["dtype": "\"<i4\"", "fill_value": "2147483648"], ["dtype": "\"|u1\"", "fill_value": "-1"],
    ["dtype": "\"<i4\"", "fill_value": "0.5"],
  ]
  for lie in lies {
    let error = #expect(throws: FileError.self, "\(lie)") { try reading(metadata(lie)) }
    #expect(error?.kind == .malformed && error?.item == "x", "\(lie): \(String(describing: error))")
  }
  let unread = [
    ["dtype": "\"|O\""], ["dtype": "[[\"a\", \"<f4\"]]"], ["fill_value": "\"x\""],
    ["compressor": "{\"id\": \"imagecodecs_jpeg2k\"}"], ["filters": "[{\"id\": \"delta\"}]"],
  ]
  for change in unread {
    let file = try reading(metadata(change)) { try ZarrFile(path: $0) }
    #expect(file.names == [] && file.unreadable.keys.sorted() == ["x"], "\(change)")
  }
  #expect(throws: FileError.self) { try reading("{") }
}

/// Chunks that never were may fill 16 MB, and not the memory.
@Test func zarrChunksThatAreMissingOrShort() throws {
  let small = try reading(metadata(["shape": "[4000000]", "chunks": "[4000000]"]))
  #expect(small.count == 4_000_000)
  let lies = [
    ["shape": "[5000000]", "chunks": "[1]"],
    ["shape": "[1000000000000]", "chunks": "[1]"],
    ["shape": "[1000000, 1000000]", "chunks": "[1000000, 1000000]"],
  ]
  for lie in lies {
    let error = #expect(throws: FileError.self) { try reading(metadata(lie)) }
    #expect(error?.description.contains("cannot stand for") == true, "\(lie)")
  }
  // A chunk that is larger than the array has to be all there, whatever the array is.
  let wide = ["shape": "[1]", "chunks": "[1000000000]"]
  let error = #expect(throws: FileError.self) {
    try reading(metadata(wide), chunks: ["0": [0, 0, 0, 0]])
  }
  #expect(error?.item == "x/0")
  for count in [0, 7, 9] {
    let error = #expect(throws: FileError.self) {
      try reading(metadata(), chunks: ["1": [UInt8](repeating: 0, count: count)])
    }
    #expect(error?.item == "x/1" && error?.description.contains("8 bytes") == true)
  }
  for codec in ["blosc", "zstd", "zlib", "gzip", "lz4"] {
    for bytes in [[], [1], [UInt8](repeating: 0xFF, count: 40), [8, 0, 0, 0, 0xFF, 0xFF]] {
      let error = #expect(throws: FileError.self, "\(codec) \(bytes)") {
        try reading(metadata(["compressor": "{\"id\": \"\(codec)\"}"]), chunks: ["0": bytes])
      }
      #expect(error?.item == "x/0", "\(codec)")
    }
  }
}

/// What LZ4 data can say that is not so.
@Test func lz4RefusesWhatDoesNotFit() throws {
  func decompress(_ block: [UInt8], _ byteCount: Int) -> [UInt8]? {
    LZ4.decompress(Bytes(copying: block), byteCount: byteCount)?.withUnsafeBytes { Array($0) }
  }
  #expect(decompress([0x30, 1, 2, 3], 3) == [1, 2, 3])
  #expect(decompress([0x30, 1, 2, 3], 2) == nil && decompress([0x30, 1, 2, 3], 4) == nil)
  // "ab", six bytes from two back, and a last literal.
  #expect(decompress([0x22, 97, 98, 2, 0, 0x10, 99], 9) == Array("ababababc".utf8))
  let long = (0..<300).map { UInt8($0 % 251) }
  #expect(decompress([0xF0, 255, 30] + long, 300) == long)
  #expect(
    decompress([0x1F, 7, 1, 0, 255, 1, 0x00], 1 + 4 + 15 + 256)?.allSatisfy { $0 == 7 } == true)
  let wrong: [[UInt8]] = [
    [], [0x30, 1, 2], [0x22, 97, 98, 3, 0, 0x10, 99], [0x22, 97, 98, 0, 0, 0x10, 99],
    [0x22, 97, 98, 2], [0xF0], [0xF0, 255, 255], [0x2F, 97, 98, 2, 0, 255],
  ]
  for block in wrong { #expect(decompress(block, 9) == nil, "\(block)") }
  #expect(decompress([0x10, 1], Int.max) == nil)
}

/// A frame of two blocks of eight bytes, each stored as it is, and one of four.
private func bloscFrame(_ change: (inout [UInt8]) -> Void = { _ in }) -> [UInt8] {
  let header: [UInt8] = [2, 1, 4 << 5 | 0x10, 1]
  let starts: [UInt32] = [28, 40, 52]
  var frame = header + [20, 8, 60].flatMap { littleEndianBytes(UInt32($0)) }
  frame += starts.flatMap { littleEndianBytes($0) }
  for (block, count) in [8, 8, 4].enumerated() {
    frame += littleEndianBytes(UInt32(count))
    frame += (0..<count).map { UInt8(block * 8 + $0) }
  }
  change(&frame)
  return frame
}

@Test func liesInBloscFramesAreErrors() throws {
  func decompress(_ frame: [UInt8], _ byteCount: Int = 20) throws(FileError) -> [UInt8] {
    try Blosc.decompress(Bytes(copying: frame), byteCount: byteCount, path: "x", item: "0")
      .withUnsafeBytes { Array($0) }
  }
  #expect(try decompress(bloscFrame()) == (0..<20).map { UInt8($0) })
  let copied = bloscFrame {
    $0 = Array($0[..<16]) + (0..<20).map { UInt8($0) }
    $0[2] |= 2
    $0[12] = 36
  }
  #expect(try decompress(copied) == (0..<20).map { UInt8($0) })
  let lies: [(String, (inout [UInt8]) -> Void)] = [
    ("version", { $0[0] = 3 }), ("codec", { $0[2] = 7 << 5 }), ("element size", { $0[3] = 0 }),
    ("size", { $0[4] = 21 }), ("large size", { $0[7] = 0xFF }), ("block size", { $0[8] = 0 }),
    ("small blocks", { $0[8] = 1 }), ("frame size", { $0[12] = 61 }),
    ("start in the header", { $0[16] = 0 }), ("start beyond the end", { $0[17] = 1 }),
    ("start at the end", { $0[16] = 60 }), ("negative stream", { $0[31] = 0x80 }),
    ("long stream", { $0[28] = 200 }), ("short stream", { $0[28] = 7 }),
    ("cut", { $0.removeLast() }), ("copied", { $0[2] |= 2 }),
  ]
  for (what, lie) in lies {
    #expect(throws: FileError.self, "\(what)") { try decompress(bloscFrame(lie)) }
  }
  #expect(throws: FileError.self) { try decompress(bloscFrame(), 19) }
  for count in 0..<60 {
    #expect(throws: FileError.self) { try decompress(Array(bloscFrame()[..<count])) }
  }
}

@Test func zstdRefusesWhatDoesNotFit() throws {
  // An empty frame, and a frame of one block of a hundred sevens.
  let sevens: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, 0x20, 100, 0x23, 0x03, 0x00, 7]
  func decompress(_ frame: [UInt8], _ byteCount: Int) -> [UInt8]? {
    Zstd.decompress(Bytes(copying: frame), byteCount: byteCount)?.withUnsafeBytes { Array($0) }
  }
  #expect(decompress(sevens, 100) == [UInt8](repeating: 7, count: 100))
  #expect(decompress(sevens, 99) == nil && decompress(sevens, 101) == nil)
  for count in 0..<sevens.count { #expect(decompress(Array(sevens[..<count]), 100) == nil) }
  #expect(decompress(sevens, Int.max) == nil)
}
