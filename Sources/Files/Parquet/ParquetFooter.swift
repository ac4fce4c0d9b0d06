/// What the end of a parquet file states about the rest of it.
struct ParquetFooter: Sendable {
  /// Some rows, column by column.
  struct RowGroup: Sendable {
    let rowCount: Int
    /// In the order of the schema's leaves.
    let chunks: [Chunk]
  }

  /// The values of one column in one row group.
  struct Chunk: Sendable {
    let codec: Int32
    /// Nulls and empty lists are counted too.
    let valueCount: Int
    /// All its pages, in the file.
    let range: Range<Int>
  }

  private(set) var columns: [ParquetColumn] = []
  private(set) var rowGroups: [RowGroup] = []
  private(set) var rowCount = 0
  private(set) var metadata: [String: String] = [:]

  private static let magic = Array("PAR1".utf8)
  private static let encryptedMagic = Array("PARE".utf8)

  /// Whether a file begins as these files do.
  static func isLikely(_ bytes: Bytes) -> Bool {
    bytes.matches(magic) || bytes.matches(encryptedMagic)
  }

  init(_ bytes: Bytes, path: String) throws(FileError) {
    let footer = try ParquetFooter.find(in: bytes, path: path)
    var reader = ThriftReader(bytes[footer], path: path, part: "footer")
    var elements: [ParquetSchemaElement] = []
    var groups: [StatedRowGroup] = []
    var isEncrypted = false
    try reader.structure { reader, field, type throws(FileError) in
      switch (field, type) {
      case (2, .list):
        try reader.list { reader throws(FileError) in
          elements.append(try ParquetSchemaElement(&reader))
        }
      case (3, .int64): rowCount = try reader.count()
      case (4, .list):
        try reader.list { reader throws(FileError) in groups.append(try StatedRowGroup(&reader)) }
      case (5, .list): try readMetadata(&reader)
      case (8, .structure):
        isEncrypted = true
        try reader.skip(type)
      default: try reader.skip(type)
      }
    }
    guard !isEncrypted else { throw ParquetFooter.encrypted(path) }
    columns = try ParquetSchema(elements, path: path).columns
    for (index, group) in groups.enumerated() {
      rowGroups.append(
        try group.checked(
          columns, dataEnd: footer.lowerBound, path: path, part: "row group \(index)"))
    }
    try check(path)
  }

  /// The footer lies before its length and the four letters that end the file.
  private static func find(in bytes: Bytes, path: String) throws(FileError) -> Range<Int> {
    if bytes.matches(encryptedMagic) { throw encrypted(path) }
    guard bytes.matches(magic) else {
      throw FileError(
        .unsupported, path: path,
        problem: bytes.count == 0 ? "is empty" : "is not a parquet file",
        advice: "check that this is the file you mean")
    }
    let trailerByteCount = 8
    guard bytes.count >= magic.count + trailerByteCount,
      bytes.matches(magic, at: bytes.count - magic.count)
    else {
      throw FileError(
        .truncated, path: path, item: "footer",
        problem: "is missing: the file begins as parquet and does not end so",
        advice:
          "an unfinished recording has none: finish it (LeRobot's finalize()), record it again, "
          + "or fetch the whole file")
    }
    let end = bytes.count - trailerByteCount
    let count = Int(bytes.number(at: end, as: UInt32.self))
    guard count <= end - magic.count else {
      throw FileError(
        .truncated, path: path, item: "footer",
        problem: "claims \(count) bytes of the \(bytes.count) that the file has",
        advice: "the file is incomplete or damaged: fetch or write it again")
    }
    return (end - count)..<end
  }

  private static func encrypted(_ path: String) -> FileError {
    FileError(
      .unsupported, path: path, problem: "is encrypted", advice: "write it without encryption")
  }

  private mutating func readMetadata(_ reader: inout ThriftReader) throws(FileError) {
    try reader.list { reader throws(FileError) in
      var (key, value) = ("", "")
      try reader.structure { reader, field, type throws(FileError) in
        switch (field, type) {
        case (1, .binary): key = try reader.string()
        // Arrow's schema is base64; what other writers put here may be no text at all.
        case (2, .binary): value = try reader.binary().text
        default: try reader.skip(type)
        }
      }
      metadata[key] = value
    }
  }

  private func check(_ path: String) throws(FileError) {
    var sum = 0
    for group in rowGroups {
      guard let total = Checked.sum(sum, group.rowCount) else {
        throw FileError(.malformed, path: path, item: "footer", problem: "counts too many rows")
      }
      sum = total
    }
    guard sum == rowCount else {
      throw FileError(
        .malformed, path: path, item: "footer",
        problem: "counts \(rowCount) rows, but its row groups have \(sum)",
        advice: "the file is damaged: fetch or write it again")
    }
    // Chunks that overlapped would let a small file stand for any amount of data.
    let ranges = rowGroups.flatMap { $0.chunks.map(\.range) }.filter { !$0.isEmpty }.sorted {
      $0.lowerBound < $1.lowerBound
    }
    for (one, next) in zip(ranges, ranges.dropFirst()) where one.upperBound > next.lowerBound {
      throw FileError(
        .malformed, path: path, item: "footer",
        problem: "puts two column chunks in the same place (byte \(next.lowerBound))",
        advice: "the file is damaged: fetch or write it again")
    }
  }
}

/// A row group as the footer states it, not yet compared with the schema and the file.
private struct StatedRowGroup {
  private var rowCount = 0
  private var chunks: [StatedChunk] = []

  init(_ reader: inout ThriftReader) throws(FileError) {
    try reader.structure { reader, field, type throws(FileError) in
      switch (field, type) {
      case (1, .list):
        try reader.list { reader throws(FileError) in chunks.append(try StatedChunk(&reader)) }
      case (3, .int64): rowCount = try reader.count()
      default: try reader.skip(type)
      }
    }
  }

  func checked(
    _ columns: [ParquetColumn], dataEnd: Int, path: String, part: String
  ) throws(FileError) -> ParquetFooter.RowGroup {
    guard chunks.count == columns.count else {
      throw FileError(
        .malformed, path: path, item: part,
        problem: "has \(chunks.count) columns, the schema \(columns.count)",
        advice: "the file is damaged: fetch or write it again")
    }
    var checked: [ParquetFooter.Chunk] = []
    for (chunk, column) in zip(chunks, columns) {
      checked.append(
        try chunk.checked(column, rowCount: rowCount, dataEnd: dataEnd, path: path, part: part))
    }
    return ParquetFooter.RowGroup(rowCount: rowCount, chunks: checked)
  }
}

private struct StatedChunk {
  private var isElsewhere = false
  private var type: Int32?
  private var path: [String] = []
  private var codec: Int32?
  private var valueCount: Int?
  private var byteCount: Int?
  private var dataStart: Int?
  private var dictionaryStart: Int?

  init(_ reader: inout ThriftReader) throws(FileError) {
    try reader.structure { reader, field, type throws(FileError) in
      switch (field, type) {
      case (1, .binary):
        // A file that stands for others names them here.
        isElsewhere = try reader.binary().count > 0
      case (3, .structure): try readMetadata(&reader)
      default: try reader.skip(type)
      }
    }
  }

  private mutating func readMetadata(_ reader: inout ThriftReader) throws(FileError) {
    try reader.structure { reader, field, type throws(FileError) in
      switch (field, type) {
      case (1, .int32): self.type = try reader.integer()
      case (3, .list):
        try reader.list { reader throws(FileError) in path.append(try reader.string()) }
      case (4, .int32): codec = try reader.integer()
      case (5, .int64): valueCount = try reader.count()
      case (7, .int64): byteCount = try reader.count()
      case (9, .int64): dataStart = try reader.count()
      case (11, .int64): dictionaryStart = try reader.count()
      default: try reader.skip(type)
      }
    }
  }

  func checked(
    _ column: ParquetColumn, rowCount: Int, dataEnd: Int, path file: String, part: String
  ) throws(FileError) -> ParquetFooter.Chunk {
    func error(_ kind: FileError.Kind, _ problem: String, _ advice: String) -> FileError {
      FileError(kind, path: file, item: "\(column.name), \(part)", problem: problem, advice: advice)
    }
    let damaged = "the file is damaged: fetch or write it again"
    guard !isElsewhere else {
      throw error(
        .unsupported, "lies in another file", "write the data into the file itself")
    }
    guard let codec, let valueCount, let byteCount, let dataStart,
      type == column.physicalType.rawValue, path == column.path
    else { throw error(.malformed, "is not described as the schema has it", damaged) }
    // What a chunk does not have, a dictionary or data, may be stated at 0.
    let start = [dictionaryStart ?? 0, dataStart].filter { $0 > 0 }.min() ?? 0
    guard let end = Checked.sum(start, byteCount), end <= dataEnd else {
      throw error(.truncated, "lies beyond the end of the file's data", damaged)
    }
    guard valueCount >= rowCount, column.listDepth > 0 || valueCount == rowCount else {
      throw error(.malformed, "has \(valueCount) values for \(rowCount) rows", damaged)
    }
    return ParquetFooter.Chunk(codec: codec, valueCount: valueCount, range: start..<end)
  }
}
