/// Where in a file something is, for errors.
struct ParquetPlace {
  let path: String
  /// A column, its row group and, once pages are read, the page.
  var item: String

  static let damaged = "the file is damaged: fetch or write it again"

  func malformed(_ problem: String) -> FileError {
    FileError(.malformed, path: path, item: item, problem: problem, advice: ParquetPlace.damaged)
  }

  func unsupported(_ problem: String, advice: String) -> FileError {
    FileError(.unsupported, path: path, item: item, problem: problem, advice: advice)
  }
}

/// A page of a column chunk, decompressed.
enum ParquetPage {
  /// The values that data pages refer to by number.
  case dictionary(values: Bytes, valueCount: Int)
  /// Values with their levels.
  case data(ParquetDataPage)
  /// An index, which reading everything does not need.
  case other
}

/// A data page of either version.
struct ParquetDataPage {
  /// Nulls and empty lists are counted too.
  let valueCount: Int
  let encoding: Int32
  /// Packed; nil in a column that cannot have several values a row.
  let repetitionLevels: Bytes?
  /// Packed; nil in a column that cannot have nulls.
  let definitionLevels: Bytes?
  let values: Bytes
}

/// The header of a page.
private struct ParquetPageHeader {
  var type: Int32?
  var byteCount: Int?
  var compressedByteCount: Int?
  var checksum: Int32?
  var valueCount: Int?
  var encoding: Int32?
  var definitionLevelEncoding: Int32?
  var repetitionLevelEncoding: Int32?
  var definitionLevelByteCount = 0
  var repetitionLevelByteCount = 0
  var isCompressed = true

  init(_ reader: inout ThriftReader) throws(FileError) {
    try reader.structure { reader, field, type throws(FileError) in
      switch (field, type) {
      case (1, .int32): self.type = try reader.integer()
      case (2, .int32): byteCount = try reader.count()
      case (3, .int32): compressedByteCount = try reader.count()
      case (4, .int32): checksum = try reader.integer()
      case (5, .structure): try readDataHeader(&reader)
      case (7, .structure): try readDictionaryHeader(&reader)
      case (8, .structure): try readSecondDataHeader(&reader)
      default: try reader.skip(type)
      }
    }
  }

  private mutating func readDataHeader(_ reader: inout ThriftReader) throws(FileError) {
    try reader.structure { reader, field, type throws(FileError) in
      switch (field, type) {
      case (1, .int32): valueCount = try reader.count()
      case (2, .int32): encoding = try reader.integer()
      case (3, .int32): definitionLevelEncoding = try reader.integer()
      case (4, .int32): repetitionLevelEncoding = try reader.integer()
      default: try reader.skip(type)
      }
    }
  }

  private mutating func readDictionaryHeader(_ reader: inout ThriftReader) throws(FileError) {
    try reader.structure { reader, field, type throws(FileError) in
      switch (field, type) {
      case (1, .int32): valueCount = try reader.count()
      case (2, .int32): encoding = try reader.integer()
      default: try reader.skip(type)
      }
    }
  }

  private mutating func readSecondDataHeader(_ reader: inout ThriftReader) throws(FileError) {
    try reader.structure { reader, field, type throws(FileError) in
      switch (field, type) {
      case (1, .int32): valueCount = try reader.count()
      case (4, .int32): encoding = try reader.integer()
      case (5, .int32): definitionLevelByteCount = try reader.count()
      case (6, .int32): repetitionLevelByteCount = try reader.count()
      case (7, .isFalse): isCompressed = false
      default: try reader.skip(type)
      }
    }
  }
}

/// The pages of a column chunk, one after the other.
struct ParquetPages {
  private let chunk: Bytes
  private let column: ParquetColumn
  private let codec: ParquetCodec
  private let place: ParquetPlace
  private var position = 0
  private var pageCount = 0

  private static let encodingPlain: Int32 = 0
  private static let encodingPlainDictionary: Int32 = 2
  private static let encodingRunLength: Int32 = 3

  init(
    _ chunk: Bytes, codec: ParquetCodec, column: ParquetColumn, place: ParquetPlace
  ) {
    self.chunk = chunk
    self.codec = codec
    self.column = column
    self.place = place
  }

  /// Whether all bytes were read.
  var isAtEnd: Bool { position == chunk.count }

  /// Where the page that `next` gave last is.
  var lastPlace: ParquetPlace { place(ofPage: pageCount - 1) }

  private func place(ofPage page: Int) -> ParquetPlace {
    var place = place
    place.item += ", page \(page)"
    return place
  }

  /// Reads, checks and decompresses the next page.
  mutating func next() throws(FileError) -> ParquetPage {
    let place = place(ofPage: pageCount)
    pageCount += 1
    var reader = ThriftReader(
      chunk[position..<chunk.count], path: place.path, part: place.item)
    let header = try ParquetPageHeader(&reader)
    position += reader.position
    guard let byteCount = header.byteCount, let storedByteCount = header.compressedByteCount else {
      throw place.malformed("does not state its size")
    }
    guard storedByteCount <= chunk.count - position else {
      throw FileError(
        .truncated, path: place.path, item: place.item,
        problem:
          "claims \(storedByteCount) bytes, but the column chunk has \(chunk.count - position)"
          + " left",
        advice: "the file is incomplete or damaged: fetch or write it again")
    }
    let stored = chunk[position..<(position + storedByteCount)]
    position += storedByteCount
    if let expected = header.checksum {
      guard stored.withUnsafeBytes({ Checksum.crc32($0) }) == UInt32(bitPattern: expected) else {
        throw place.malformed("does not match its checksum")
      }
    }
    switch header.type {
    case 0: return .data(try dataPage(header, stored, byteCount: byteCount, place))
    case 2:
      guard let valueCount = header.valueCount,
        header.encoding == ParquetPages.encodingPlain
          || header.encoding == ParquetPages.encodingPlainDictionary
      else { throw place.malformed("is a dictionary of an unknown encoding") }
      let values = try codec.decompress(stored, byteCount: byteCount, place)
      return .dictionary(values: values, valueCount: valueCount)
    case 3: return .data(try secondDataPage(header, stored, byteCount: byteCount, place))
    default: return .other
    }
  }

  /// Version 1: everything is compressed together, and levels state their size.
  private func dataPage(
    _ header: ParquetPageHeader, _ stored: Bytes, byteCount: Int, _ place: ParquetPlace
  ) throws(FileError) -> ParquetDataPage {
    guard let valueCount = header.valueCount, let encoding = header.encoding else {
      throw place.malformed("lacks its count of values or its encoding")
    }
    let body = try codec.decompress(stored, byteCount: byteCount, place)
    var cursor = ByteCursor(body, path: place.path, part: place.item)
    func levels(_ encoding: Int32?) throws(FileError) -> Bytes {
      guard encoding == ParquetPages.encodingRunLength else {
        throw place.unsupported(
          "has levels of encoding \(encoding.map(ParquetEncoding.name) ?? "?")",
          advice: "write the file with a current version of pyarrow")
      }
      return try cursor.take(Int(try cursor.number(UInt32.self)))
    }
    let repetition = column.listDepth > 0 ? try levels(header.repetitionLevelEncoding) : nil
    let definition =
      column.maxDefinitionLevel > 0 ? try levels(header.definitionLevelEncoding) : nil
    return ParquetDataPage(
      valueCount: valueCount, encoding: encoding, repetitionLevels: repetition,
      definitionLevels: definition, values: body[cursor.position..<body.count])
  }

  /// Version 2: the header states the size of the levels, which are not compressed.
  private func secondDataPage(
    _ header: ParquetPageHeader, _ stored: Bytes, byteCount: Int, _ place: ParquetPlace
  ) throws(FileError) -> ParquetDataPage {
    guard let valueCount = header.valueCount, let encoding = header.encoding else {
      throw place.malformed("lacks its count of values or its encoding")
    }
    var cursor = ByteCursor(stored, path: place.path, part: place.item)
    let repetition = try cursor.take(header.repetitionLevelByteCount)
    let definition = try cursor.take(header.definitionLevelByteCount)
    let rest = stored[cursor.position..<stored.count]
    guard byteCount >= cursor.position else {
      throw place.malformed("has levels that are larger than the page")
    }
    let values =
      header.isCompressed
      ? try codec.decompress(rest, byteCount: byteCount - cursor.position, place) : rest
    return ParquetDataPage(
      valueCount: valueCount, encoding: encoding,
      repetitionLevels: column.listDepth > 0 ? repetition : nil,
      definitionLevels: column.maxDefinitionLevel > 0 ? definition : nil, values: values)
  }
}

/// How pages are compressed.
enum ParquetCodec: Int32 {
  case uncompressed, snappy, gzip
  case zstd = 6

  private static let names = [
    "UNCOMPRESSED", "SNAPPY", "GZIP", "LZO", "BROTLI", "LZ4", "ZSTD", "LZ4_RAW",
  ]

  init(_ number: Int32, _ place: ParquetPlace) throws(FileError) {
    if let codec = ParquetCodec(rawValue: number) {
      self = codec
      return
    }
    let name =
      ParquetCodec.names.indices.contains(Int(number))
      ? ParquetCodec.names[Int(number)] : "\(number)"
    throw place.unsupported(
      "is compressed with \(name), which Attune does not read",
      advice: "write the file with snappy: pyarrow.parquet.write_table(pyarrow.parquet.read_table("
        + "'in.parquet'), 'out.parquet', compression='snappy')")
  }

  func decompress(
    _ stored: Bytes, byteCount: Int, _ place: ParquetPlace
  ) throws(FileError) -> Bytes {
    switch self {
    case .uncompressed:
      guard stored.count == byteCount else {
        throw place.malformed("has \(stored.count) bytes, its header states \(byteCount)")
      }
      return stored
    case .snappy:
      // Pages without values may have no bytes at all, as some writers compress them.
      if byteCount == 0, stored.count == 0 { return stored }
      guard let bytes = Snappy.decompress(stored, byteCount: byteCount) else {
        throw place.malformed("has damaged compressed data")
      }
      return bytes
    case .zstd:
      if byteCount == 0, stored.count == 0 { return stored }
      guard let bytes = Zstd.decompress(stored, byteCount: byteCount) else {
        throw place.malformed("has damaged compressed data")
      }
      return bytes
    case .gzip:
      return try Inflater.inflateGzip(
        stored, byteCount: byteCount, path: place.path, part: place.item)
    }
  }
}

/// The encodings of values that the format has.
enum ParquetEncoding {
  private static let names = [
    0: "PLAIN", 2: "PLAIN_DICTIONARY", 3: "RLE", 4: "BIT_PACKED", 5: "DELTA_BINARY_PACKED",
    6: "DELTA_LENGTH_BYTE_ARRAY", 7: "DELTA_BYTE_ARRAY", 8: "RLE_DICTIONARY",
    9: "BYTE_STREAM_SPLIT",
  ]

  static func name(_ number: Int32) -> String { names[Int(number)] ?? "\(number)" }
}
