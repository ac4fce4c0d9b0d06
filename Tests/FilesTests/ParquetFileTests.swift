import Foundation
import Tensors
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
@Test(arguments: ["snappy", "checked", "plain", "gzip", "zstd", "version1", "version2"])
func parquetMatchesPyarrow(name: String) throws {
  let file = try ParquetFile(path: ParquetGoldens.path("\(name).parquet"))
  #expect(file.rowCount == 50)
  #expect(file.metadata["origin"] == "make_parquet.py")
  if ["snappy", "checked", "gzip", "zstd", "version2"].contains(name) {
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
    ("lz4", "number", "LZ4"), ("delta", "whole", "DELTA_BINARY_PACKED"),
    ("delta", "number", "BYTE_STREAM_SPLIT"), ("null_in_list", "list", "null in the list of row 0"),
  ]
  for (name, column, word) in cases {
    let error = try refusal(name, column)
    #expect(error.kind == .unsupported && error.description.contains(word), "\(error)")
    #expect(error.description.contains(column) && error.advice != nil, "\(error)")
  }
  let missing = try refusal("snappy", "observation.stat")
  #expect(missing.description.contains("did you mean 'observation.state'?"), "\(missing)")
}

@Test func parquetColumnsAreSummarized() throws {
  let path = ParquetGoldens.path("snappy.parquet")
  #expect(try FileKind(path: path) == .parquet)
  let summary = try FileSummary(path: path)
  #expect(summary.kind == "parquet")
  #expect(summary.tensors.map(\.name) == summary.tensors.map(\.name).sorted())
  func type(_ name: String) -> String? { summary.tensors.first { $0.name == name }?.type }
  #expect(type("int64") == "int64" && type("nested") == "lists of lists of float64")
  #expect(type("text") == "bytes" && type("observation.state") == "lists of float32")
  #expect(summary.tensors.allSatisfy { $0.shape == [50] })
  #expect(summary.items.contains { $0.name == "rows" && $0.value == "50 in 3 row groups" })
  #expect(summary.items.contains { $0.name == "origin" && $0.value == "make_parquet.py" })
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

/// A file of two numbers in a dictionary, of which one run of no bits claims any count.
private func fileOfOneRun(count: Int) -> [UInt8] {
  func page(_ type: Int32, _ body: [UInt8], _ fields: (inout ThriftWriter) -> Void) -> [UInt8] {
    var writer = ThriftWriter()
    writer.field(1, type)
    writer.field(2, Int32(body.count))
    writer.field(3, Int32(body.count))
    fields(&writer)
    writer.end()
    return writer.bytes + body
  }
  let dictionary = page(2, little(UInt64(7))) { writer in
    writer.field(7) {
      $0.field(1, 1)
      $0.field(2, 0)
    }
  }
  var run: [UInt8] = [0]  // bits of a reference
  run.appendVarint(UInt64(count) << 1)
  let data = page(0, run) { writer in
    writer.field(5) {
      $0.field(1, Int32(count))
      $0.field(2, 8)
      $0.field(3, 3)
      $0.field(4, 3)
    }
  }
  var footer = ThriftWriter()
  footer.field(1, 2)
  let nodes = [
    ParquetSchemaNode(name: "schema", childCount: 1),
    ParquetSchemaNode(name: "x", physicalType: .int64, repetition: 0),
  ]
  footer.field(2, structures: nodes) { $1.write(to: &$0) }
  footer.field(3, count: count)
  footer.field(4, structures: [0]) { writer, _ in
    writer.field(1, structures: [0]) { writer, _ in
      writer.field(3) {
        $0.field(1, 2)
        $0.field(3, texts: ["x"])
        $0.field(4, 0)
        $0.field(5, count: count)
        $0.field(7, count: dictionary.count + data.count)
        $0.field(9, count: 4 + dictionary.count)
        $0.field(11, count: 4)
      }
    }
    writer.field(3, count: count)
  }
  footer.end()
  let magic = Array("PAR1".utf8)
  return magic + dictionary + data + footer.bytes + little(UInt32(footer.bytes.count)) + magic
}

/// A hundred bytes may stand for a million numbers, and not for gigabytes.
@Test func parquetRunsDoNotFillTheMemory() throws {
  func file(_ count: Int) throws -> ParquetFile {
    try ParquetFile(Bytes(copying: fileOfOneRun(count: count)), path: "run.parquet")
  }
  let values = try file(100_000).values(of: "x")
  #expect(values.numbers?.integers?.allSatisfy { $0 == 7 } == true && values.rowCount == 100_000)
  let error = #expect(throws: FileError.self) { try file(Int(Int32.max)).values(of: "x") }
  #expect(error?.kind == .tooLarge)
}

/// Every type that is written, flat and in lists, comes back.
@Test func writtenParquetComesBack() throws {
  let folder = try TemporaryFolder()
  let integers: [ElementType] = [.int64, .int32, .int16, .int8, .uint64, .uint32, .uint16, .uint8]
  let numbers = (0..<24).map { Double($0) / 2 }
  var columns = [
    ParquetWriter.Column("double", StoredTensor(shape: [2, 3, 4], doubles: numbers)),
    ParquetWriter.Column(
      "half",
      StoredTensor(Tensor(shape: [2, 12], elements: numbers.map { Float($0) }), as: .float16)),
    ParquetWriter.Column(
      "flag", StoredTensor(shape: [2, 9], booleans: (0..<18).map { $0 % 5 == 0 })),
    ParquetWriter.Column("text", texts: ["", "\u{E4}\n"]),
    ParquetWriter.Column("texts", textLists: [[], ["a", "", "b"]]),
  ]
  for type in integers {
    columns.append(
      ParquetWriter.Column(type.rawValue, StoredTensor(shape: [2], integers: [0, 127], as: type)))
  }
  var writer = ParquetWriter(path: folder.file("x.parquet"), metadata: ["a": "b"])
  try writer.appendRowGroup(columns)
  try writer.appendRowGroup(columns)
  try writer.finish()
  let file = try ParquetFile(path: folder.file("x.parquet"))
  #expect(file.rowGroups == [0..<2, 2..<4] && file.metadata == ["a": "b"])
  let doubles = try file.values(of: "double")
  #expect(doubles.tensor(rows: 2..<4, shape: [3, 4])?.doubles == numbers)
  #expect(file.column(named: "double")?.listDepth == 2)
  let half = try file.values(of: "half")
  #expect(half.numbers?.elementType == .float16)
  #expect(half.tensor(rows: 0..<2, shape: [12])?.doubles == numbers)
  let flags = try file.values(of: "flag").tensor(rows: 1..<2, shape: [9])
  #expect(flags?.integers == (9..<18).map { $0 % 5 == 0 ? 1 : 0 })
  #expect(try file.values(of: "text").texts(row: 3) == ["\u{E4}\n"])
  let texts = try file.values(of: "texts")
  #expect((0..<4).map { texts.texts(row: $0) } == [[], ["a", "", "b"], [], ["a", "", "b"]])
  for type in integers {
    #expect(try file.values(of: type.rawValue).numbers?.integers == [0, 127, 0, 127], "\(type)")
  }
  var other = ParquetWriter(path: folder.file("y.parquet"))
  #expect(throws: FileError.self) {
    try other.appendRowGroup([
      ParquetWriter.Column("x", StoredTensor(Tensor([1]), as: .bfloat16))
    ])
  }
}
