import Foundation
import TestSupport
import Testing

@testable import Files

/// The files that `make_parquet.py` wrote with pyarrow, and what is in them.
enum ParquetGoldens {
  struct Expected: Decodable {
    /// How many values each row has.
    let counts: [Int]
    let integers: [String]?
    let numbers: [Double]?
    let texts: [String]?
    let base64: [String]?
  }

  static let folder = Repository.golden("RobotData/parquet")

  static func path(_ name: String) -> String { "\(folder)/\(name)" }

  static func bytes(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(filePath: path(name))))
  }

  static func expected() throws -> [String: Expected] {
    let data = try Data(contentsOf: URL(filePath: path("expected.json")))
    return try JSONDecoder().decode([String: Expected].self, from: data)
  }

  /// Whether all columns have the expected values; throws what reading throws.
  static func matches(_ file: ParquetFile, _ expected: [String: Expected]) throws -> Bool {
    guard Set(file.columns.map(\.name)) == Set(expected.keys) else { return false }
    for (name, expected) in expected {
      guard matches(try file.values(of: name), expected) else { return false }
    }
    return true
  }

  static func matches(_ values: ParquetValues, _ expected: Expected) -> Bool {
    let rows = 0..<values.rowCount
    guard rows.map({ values.valueCount(row: $0) }) == expected.counts else { return false }
    if let integers = expected.integers {
      return values.numbers?.integers?.map(String.init) == integers
    }
    if let numbers = expected.numbers { return values.numbers?.doubles == numbers }
    if let texts = expected.texts { return rows.flatMap { values.texts(row: $0) } == texts }
    let arrays = rows.flatMap { values.byteArrays(row: $0) }
    return arrays.map { Data($0).base64EncodedString() } == expected.base64
  }
}

/// Everything that pyarrow writes of one table, whatever the settings.
@Test(arguments: ["snappy", "checked", "plain", "gzip", "version1", "version2"])
func parquetMatchesPyarrow(name: String) throws {
  let file = try ParquetFile(path: ParquetGoldens.path("\(name).parquet"))
  #expect(file.rowCount == 50)
  #expect(file.metadata["origin"] == "make_parquet.py")
  if ["snappy", "checked", "gzip", "version2"].contains(name) {
    #expect(file.rowGroups == [0..<20, 20..<40, 40..<50])
  }
  let expected = try ParquetGoldens.expected()
  #expect(Set(file.columns.map(\.name)) == Set(expected.keys))
  for (column, expected) in expected {
    #expect(ParquetGoldens.matches(try file.values(of: column), expected), "\(name): \(column)")
  }
  let types: [String: ElementType] = [
    "int64": .int64, "int32": .int32, "uint64": .uint64, "uint32": .uint32, "float16": .float16,
    "float32": .float32, "float64": .float64, "bool": .bool,
  ]
  // The first version of the format has no unsigned numbers of 32 bits.
  for (column, type) in types where name != "version1" || column != "uint32" {
    #expect(file.column(named: column)?.storage == .numbers(type), "\(column)")
  }
  #expect(file.column(named: "nested")?.listDepth == 2)
  #expect(file.column(named: "image.bytes")?.storage == .bytes)
}

@Test func parquetRowGroupsAreReadAlone() throws {
  let file = try ParquetFile(path: ParquetGoldens.path("snappy.parquet"))
  let all = try file.values(of: "observation.state")
  let second = try file.values(of: "observation.state", rowGroups: 1..<2)
  #expect(second.rowCount == 20)
  let rows = try #require(second.tensor(rows: 3..<7, shape: [3]))
  #expect(rows.shape == [4, 3])
  #expect(rows.doubles == all.tensor(rows: 23..<27, shape: [3])?.doubles)
  #expect(all.tensor(rows: 0..<50, shape: [4]) == nil)
  #expect(try file.values(of: "ragged").tensor(rows: 0..<4, shape: [3]) == nil)
  #expect(try file.values(of: "ragged").tensor(rows: 3..<4, shape: [3])?.integers == [0, 1, 2])
  #expect(try file.values(of: "text", rowGroups: 1..<1).rowCount == 0)
}

/// Dictionaries that grow too large, after which a chunk continues plainly.
@Test func parquetDictionariesFallBackToPlainValues() throws {
  let file = try ParquetFile(path: ParquetGoldens.path("fallback.parquet"))
  let count = 1_500
  #expect(try file.values(of: "number").numbers?.doubles == (0..<count).map { Double($0) })
  let vectors = try #require(
    try file.values(of: "vector").tensor(rows: 0..<count, shape: [2]))
  #expect(vectors.doubles == (0..<count).flatMap { [Double($0), -Double($0)] })
  let texts = try file.values(of: "text")
  #expect((0..<count).allSatisfy { texts.texts(row: $0) == ["text \($0)"] })
}

@Test func parquetWithoutRowsIsRead() throws {
  let file = try ParquetFile(path: ParquetGoldens.path("empty.parquet"))
  #expect(file.rowCount == 0)
  for column in file.columns { #expect(try file.values(of: column.name).rowCount == 0) }
}

@Test func whatParquetFilesUseThatIsNotReadIsNamed() throws {
  func refusal(_ name: String, _ column: String) throws -> FileError {
    let file = try ParquetFile(path: ParquetGoldens.path("\(name).parquet"))
    return try #require(#expect(throws: FileError.self) { try file.values(of: column) })
  }
  let cases = [
    ("zstd", "number", "ZSTD"), ("delta", "whole", "DELTA_BINARY_PACKED"),
    ("delta", "number", "BYTE_STREAM_SPLIT"), ("null_in_list", "list", "null in the list of row 0"),
  ]
  for (name, column, word) in cases {
    let error = try refusal(name, column)
    #expect(error.kind == .unsupported && error.description.contains(word), "\(error)")
    #expect(error.description.contains(column) && error.advice != nil, "\(error)")
  }
  let missing = try refusal("snappy", "observation.stat")
  #expect(missing.description.contains("did you mean 'observation.state'?"), "\(missing)")
  let kind = #expect(throws: FileError.self) {
    try FileKind(path: ParquetGoldens.path("snappy.parquet"))
  }
  #expect(kind?.description.contains("parquet") == true)
}

/// A recording that was not finished has data and no footer.
@Test func unfinishedParquetIsToldSo() throws {
  let folder = try TemporaryFolder()
  let bytes = try ParquetGoldens.bytes("snappy.parquet")
  let path = try folder.write(Array(bytes.prefix(9_000)), to: "unfinished.parquet")
  let error = #expect(throws: FileError.self) { try ParquetFile(path: path) }
  #expect(error?.kind == .truncated)
  #expect(
    error?.description.contains("unfinished recording") == true, "\(error?.description ?? "")")
  for other in [[], Array("PAR1".utf8), Array("PARE".utf8), [UInt8](repeating: 7, count: 40)] {
    let path = try folder.write(other, to: "other.parquet")
    #expect(throws: FileError.self) { try ParquetFile(path: path) }
  }
}

@Test func cutParquetIsAnErrorWhereverItIsCut() throws {
  let bytes = Bytes(copying: try ParquetGoldens.bytes("plain.parquet"))
  for count in 0..<bytes.count {
    #expect(throws: FileError.self, "\(count) bytes") {
      try ParquetFile(bytes[0..<count], path: "cut.parquet")
    }
  }
}

/// Pages with checksums, and headers that say what those have: a changed bit is an error, or it
/// changes nothing.
@Test(arguments: ["plain", "checked", "version2"])
func changedBitsInParquetDataAreSeen(name: String) throws {
  let expected = try ParquetGoldens.expected()
  let bytes = try ParquetGoldens.bytes("\(name).parquet")
  let size = bytes[(bytes.count - 8)...].prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
  var readCount = 0
  for index in stride(from: 4, to: bytes.count - 8 - size, by: 13) {
    var damaged = bytes
    damaged[index] ^= 1 << UInt8(index % 8)
    do {
      let file = try ParquetFile(Bytes(copying: damaged), path: "damaged.parquet")
      #expect(try ParquetGoldens.matches(file, expected), "byte \(index)")
      readCount += 1
    } catch is FileError {}
  }
  #expect(readCount > 0)
}

/// What compressed data can say that is not so.
@Test func snappyRefusesWhatDoesNotFit() throws {
  func decompress(_ block: [UInt8], _ byteCount: Int) -> [UInt8]? {
    Snappy.decompress(Bytes(copying: block), byteCount: byteCount)?.withUnsafeBytes { Array($0) }
  }
  let literal: [UInt8] = [3, 0x08, 1, 2, 3]
  #expect(decompress(literal, 3) == [1, 2, 3])
  #expect(decompress(literal, 4) == nil && decompress(literal, 2) == nil)
  // A copy that reaches into what it makes: "ab" and six bytes from two back.
  #expect(
    decompress([8, 0x04, 97, 98, (6 - 4) << 2 | 1, 2], 8) == Array("abababab".utf8))
  // One of two bytes, and one of four.
  #expect(decompress([4, 0x00, 7, 2 << 2 | 2, 1, 0], 4) == [7, 7, 7, 7])
  #expect(decompress([4, 0x00, 7, 2 << 2 | 3, 1, 0, 0, 0], 4) == [7, 7, 7, 7])
  // Literals of more than 60 bytes state their length apart.
  let long = (0..<100).map { UInt8($0) }
  #expect(decompress([100, 60 << 2, 99] + long, 100) == long)
  let wrong: [[UInt8]] = [
    [], [3], [3, 0x08, 1, 2], [4, 0x00, 7, 2 << 2 | 2, 2, 0], [4, 0x00, 7, 2 << 2 | 2, 0, 0],
    [4, 0x00, 7, 3 << 2 | 2, 1, 0], [4, 0x00, 7, 2 << 2 | 2, 1], [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1],
    [4, 63 << 2, 255, 255, 255, 255],
  ]
  for block in wrong { #expect(decompress(block, 4) == nil, "\(block)") }
  #expect(decompress([0], 0) == [])
  #expect(decompress([0xFF, 0xFF, 0xFF, 0xFF, 0x07], 0x7FFF_FFFF) == nil)
}
