import Configuration

/// A parquet file, mapped into memory: opening it reads the footer only.
///
/// Read are columns of numbers, booleans, texts and bytes, plain, in groups and in lists; encodings
/// PLAIN, RLE and dictionaries, data pages of both versions; uncompressed, Snappy and GZIP.
public struct ParquetFile: Sendable {
  /// The path that it was opened by.
  public let path: String
  /// The leaves of the schema, in the file's order.
  public var columns: [ParquetColumn] { footer.columns }
  /// How many rows the file has.
  public var rowCount: Int { footer.rowCount }
  /// The rows of each row group, which are read at once.
  public let rowGroups: [Range<Int>]
  /// The texts stored beside the data.
  public var metadata: [String: String] { footer.metadata }

  private let footer: ParquetFooter
  private let bytes: Bytes

  /// Opens a file and checks its footer.
  ///
  /// - Throws: `FileError` if it cannot be opened or is not a whole, valid parquet file.
  public init(path: String) throws(FileError) {
    try self.init(try MappedFile.bytes(path: path), path: path)
  }

  init(_ bytes: Bytes, path: String) throws(FileError) {
    self.path = path
    self.bytes = bytes
    footer = try ParquetFooter(bytes, path: path)
    var start = 0
    var rowGroups: [Range<Int>] = []
    for group in footer.rowGroups {
      rowGroups.append(start..<(start + group.rowCount))
      start += group.rowCount
    }
    self.rowGroups = rowGroups
  }

  /// The column of a name; nil if there is none.
  public func column(named name: String) -> ParquetColumn? {
    footer.columns.first { $0.name == name }
  }

  /// Reads a column.
  ///
  /// - Parameters:
  ///   - name: as in `columns`.
  ///   - groups: which row groups; nil for all.
  /// - Throws: `FileError` if there is no such column, it is of a kind that Attune does not read, or
  ///   it is damaged.
  public func values(
    of name: String, rowGroups groups: Range<Int>? = nil
  ) throws(FileError) -> ParquetValues {
    guard let column = column(named: name) else { throw missing(name) }
    if case .unreadable(let what) = column.storage {
      throw FileError(
        .unsupported, path: path, item: name, problem: "has \(what), which Attune does not read",
        advice: "write it as float32, float64, int64 or text")
    }
    let groups = groups ?? rowGroups.indices
    precondition(
      groups.lowerBound >= 0 && groups.upperBound <= rowGroups.count,
      "row groups \(groups) of \(rowGroups.count)")
    let chunks = groups.map { footer.rowGroups[$0].chunks[column.index] }
    // Chunks do not overlap, so that their sum is at most the size of the file.
    var reader = ParquetChunkReader(column, byteCount: chunks.reduce(0) { $0 + $1.range.count })
    for (group, chunk) in zip(groups, chunks) {
      try reader.add(
        chunk, rowCount: rowGroups[group].count, in: bytes,
        place: ParquetPlace(path: path, item: "\(name), row group \(group)"))
    }
    return reader.values()
  }

  private func missing(_ name: String) -> FileError {
    let names = columns.map(\.name)
    return FileError(
      .missing, path: path, item: name, problem: "is not among its \(names.count) columns",
      advice: name.nearest(among: names).map { "did you mean '\($0)'?" }
        ?? "it has \(names.prefix(20).joined(separator: ", "))")
  }
}
