/// Writes a parquet file as pyarrow reads it: plain values, not compressed, without nulls.
///
/// Row groups are kept in memory until `finish()` writes the file, which appears under its name only
/// when it is complete.
public struct ParquetWriter: Sendable {
  /// Some rows of a column.
  public struct Column: Sendable {
    /// Its name.
    public let name: String
    let content: Content
    /// The group that it is in, and its place there; nil for a column by itself.
    var group: Group?

    enum Content: Sendable {
      case numbers(StoredTensor)
      case texts([String])
      case textLists([[String]])
      case byteArrays([[UInt8]])
    }

    struct Group: Equatable, Sendable {
      let name: String
      let place: Int
      let memberCount: Int
    }

    /// Numbers or booleans: `[rows]`, or `[rows, D]` and so on for lists and lists within lists.
    public init(_ name: String, _ numbers: StoredTensor) {
      (self.name, content) = (name, .numbers(numbers))
    }

    /// A text a row.
    public init(_ name: String, texts: [String]) {
      (self.name, content) = (name, .texts(texts))
    }

    /// Any number of texts a row.
    public init(_ name: String, textLists: [[String]]) {
      (self.name, content) = (name, .textLists(textLists))
    }

    private init(_ name: String, _ content: Content, in group: Group) {
      (self.name, self.content, self.group) = (name, content, group)
    }

    /// A file a row, as `datasets` has images: the group `name` with its `bytes` and its `path`.
    public static func files(_ name: String, bytes: [[UInt8]], paths: [String]) -> [Column] {
      precondition(bytes.count == paths.count, "\(bytes.count) files and \(paths.count) paths")
      return [
        Column("bytes", .byteArrays(bytes), in: Group(name: name, place: 0, memberCount: 2)),
        Column("path", .texts(paths), in: Group(name: name, place: 1, memberCount: 2)),
      ]
    }
  }

  /// The file to write.
  public let path: String
  /// The texts stored beside the data.
  public var metadata: [String: String]
  /// The bytes of the data so far.
  public var byteCount: Int { body.count - ParquetWriter.magic.count }

  private static let magic = Array("PAR1".utf8)
  private var body = ParquetWriter.magic
  private var schema: [ParquetColumnSchema] = []
  private var groups: [Group] = []

  private struct Chunk {
    let start: Int
    let byteCount: Int
    let valueCount: Int
  }

  private struct Group {
    let rowCount: Int
    let chunks: [Chunk]
  }

  private static let formatVersion: Int32 = 2
  private static let codecUncompressed: Int32 = 0
  private static let encodings: [Int32] = [0, 3]  // PLAIN, RLE

  /// Begins a file.
  public init(path: String, metadata: [String: String] = [:]) {
    self.path = path
    self.metadata = metadata
  }

  /// Adds rows.
  ///
  /// - Parameter columns: of the same names, types and shapes as in the row groups before, with the
  ///   same number of rows.
  /// - Throws: `FileError` if parquet has no such type, or a column has more than 2 GB.
  public mutating func appendRowGroup(_ columns: [Column]) throws(FileError) {
    let schema = try columns.map { column throws(FileError) in
      try ParquetColumnSchema(column, path: path)
    }
    precondition(
      groups.isEmpty || schema == self.schema, "the row groups of \(path) have different columns")
    precondition(Set(schema.map(\.path)).count == schema.count, "\(path) has a column twice")
    self.schema = schema
    let rowCount = columns.first?.rowCount ?? 0
    precondition(
      columns.allSatisfy { $0.rowCount == rowCount },
      "the columns of \(path) have different lengths")
    var chunks: [Chunk] = []
    for (column, schema) in zip(columns, schema) {
      let page = ParquetPageContent(column, schema)
      let header = try page.header(path: path, column: column.name)
      let start = body.count
      body += header
      body += page.bytes
      chunks.append(
        Chunk(start: start, byteCount: body.count - start, valueCount: page.valueCount))
    }
    groups.append(Group(rowCount: rowCount, chunks: chunks))
  }

  /// Writes the file.
  ///
  /// - Throws: `FileError` if the system refuses.
  public func finish() throws(FileError) {
    let footer = footer()
    try AtomicFile.write(to: path) { file throws(FileError) in
      try file.append(body)
      try file.append(footer)
      try file.append(littleEndianBytes(UInt32(footer.count)))
      try file.append(ParquetWriter.magic)
    }
  }

  private func footer() -> [UInt8] {
    var writer = ThriftWriter()
    writer.field(1, ParquetWriter.formatVersion)
    let columnCount = schema.count { ($0.group?.place ?? 0) == 0 }
    let elements = [ParquetSchemaNode(name: "schema", childCount: columnCount)]
    writer.field(2, structures: elements + schema.flatMap(\.nodes)) { $1.write(to: &$0) }
    writer.field(3, count: groups.reduce(0) { $0 + $1.rowCount })
    writer.field(4, structures: groups) { writer, group in
      let byteCount = group.chunks.reduce(0) { $0 + $1.byteCount }
      writer.field(1, structures: Array(zip(group.chunks, schema))) { writer, column in
        writer.field(2, count: 0)  // where the description lay besides the footer, in old files
        writer.field(3) { write(column.0, column.1, to: &$0) }
      }
      writer.field(2, count: byteCount)
      writer.field(3, count: group.rowCount)
      writer.field(6, count: byteCount)
    }
    if !metadata.isEmpty {
      writer.field(5, structures: metadata.sorted { $0.key < $1.key }) { writer, item in
        writer.field(1, item.key)
        writer.field(2, item.value)
      }
    }
    writer.field(6, "Attune")
    writer.end()
    return writer.bytes
  }

  private func write(
    _ chunk: Chunk, _ schema: ParquetColumnSchema, to writer: inout ThriftWriter
  ) {
    writer.field(1, schema.physicalType.rawValue)
    writer.field(2, numbers: ParquetWriter.encodings)
    writer.field(3, texts: schema.path)
    writer.field(4, ParquetWriter.codecUncompressed)
    writer.field(5, count: chunk.valueCount)
    writer.field(6, count: chunk.byteCount)
    writer.field(7, count: chunk.byteCount)
    writer.field(9, count: chunk.start)
  }
}

extension ParquetWriter.Column {
  var rowCount: Int {
    switch content {
    case .numbers(let tensor): tensor.shape.first ?? 0
    case .texts(let texts): texts.count
    case .textLists(let lists): lists.count
    case .byteArrays(let arrays): arrays.count
    }
  }
}

/// An element of the schema to write.
struct ParquetSchemaNode: Equatable {
  var name: String
  var physicalType: ParquetPhysicalType?
  var byteCount: Int32?
  /// 0 required, 1 optional, 2 repeated; nil of the root.
  var repetition: Int32?
  var childCount: Int?
  var convertedType: Int32?
  var isFloat16 = false

  func write(to writer: inout ThriftWriter) {
    if let physicalType { writer.field(1, physicalType.rawValue) }
    if let byteCount { writer.field(2, byteCount) }
    if let repetition { writer.field(3, repetition) }
    writer.field(4, name)
    if let childCount { writer.field(5, Int32(childCount)) }
    if let convertedType { writer.field(6, convertedType) }
    // A union whose fifteenth member, which has no fields, is the type.
    if isFloat16 { writer.field(10) { $0.field(15) { _ in } } }
  }
}

/// How a column is described: optional throughout, as pyarrow does it.
struct ParquetColumnSchema: Equatable {
  let name: String
  let physicalType: ParquetPhysicalType
  let listDepth: Int
  let group: ParquetWriter.Column.Group?
  private let byteCount: Int32?
  private let convertedType: Int32?
  private let isFloat16: Bool

  /// A list adds a level for being there and one for an element, a group one, and the value one.
  var maxDefinitionLevel: Int { 2 * listDepth + (group == nil ? 1 : 2) }

  init(_ column: ParquetWriter.Column, path: String) throws(FileError) {
    name = column.name
    group = column.group
    switch column.content {
    case .byteArrays:
      (physicalType, convertedType, listDepth) = (.byteArray, nil, 0)
      (byteCount, isFloat16) = (nil, false)
    case .texts, .textLists:
      (physicalType, convertedType) = (.byteArray, ParquetConvertedType.utf8)
      (byteCount, isFloat16) = (nil, false)
      if case .texts = column.content { listDepth = 0 } else { listDepth = 1 }
    case .numbers(let tensor):
      precondition(
        tensor.shape.count > 0 && !tensor.shape.dropFirst().contains(0),
        "the column '\(column.name)' of shape \(tensor.shape) has no rows, or empty lists")
      listDepth = tensor.shape.count - 1
      guard let type = ParquetColumnSchema.type(of: tensor.elementType) else {
        throw FileError(
          .unsupported, path: path, item: column.name,
          problem: "is \(tensor.elementType.rawValue), which parquet does not have",
          advice: "write it as float32")
      }
      (physicalType, convertedType) = type
      isFloat16 = tensor.elementType == .float16
      byteCount = isFloat16 ? 2 : nil
    }
  }

  private static func type(of elementType: ElementType) -> (ParquetPhysicalType, Int32?)? {
    switch elementType {
    case .float64: (.double, nil)
    case .float32: (.float, nil)
    case .float16: (.fixedLengthByteArray, nil)
    case .bfloat16: nil
    case .int64: (.int64, nil)
    case .int32: (.int32, nil)
    case .int16: (.int32, 16)
    case .int8: (.int32, 15)
    case .uint64: (.int64, 14)
    case .uint32: (.int32, 13)
    case .uint16: (.int32, 12)
    case .uint8: (.int32, 11)
    case .bool: (.boolean, nil)
    }
  }

  /// From the top of the schema to the leaf.
  var path: [String] {
    (group.map { [$0.name] } ?? []) + [name]
      + (0..<listDepth).flatMap { _ in ["list", "element"] }
  }

  /// The elements of the schema, in depth-first order.
  var nodes: [ParquetSchemaNode] {
    var nodes: [ParquetSchemaNode] = []
    if let group, group.place == 0 {
      nodes.append(
        ParquetSchemaNode(name: group.name, repetition: 1, childCount: group.memberCount))
    }
    for depth in 0..<listDepth {
      nodes.append(
        ParquetSchemaNode(
          name: depth == 0 ? name : "element", repetition: 1, childCount: 1,
          convertedType: ParquetConvertedType.list))
      nodes.append(ParquetSchemaNode(name: "list", repetition: 2, childCount: 1))
    }
    nodes.append(
      ParquetSchemaNode(
        name: listDepth == 0 ? name : "element", physicalType: physicalType, byteCount: byteCount,
        repetition: 1, convertedType: convertedType, isFloat16: isFloat16))
    return nodes
  }
}

/// The one page of a column in a row group: repetition levels, definition levels, values.
struct ParquetPageContent {
  private(set) var bytes: [UInt8] = []
  private(set) var valueCount = 0

  init(_ column: ParquetWriter.Column, _ schema: ParquetColumnSchema) {
    let maxLevel = schema.maxDefinitionLevel
    switch column.content {
    case .numbers(let tensor):
      valueCount = tensor.count
      if schema.listDepth > 0 {
        appendLevels(ParquetPageContent.repetitionLevels(tensor.shape), maxLevel: schema.listDepth)
      }
      appendLevel(maxLevel, count: tensor.count, maxLevel: maxLevel)
      appendNumbers(tensor)
    case .texts(let texts):
      valueCount = texts.count
      appendLevel(maxLevel, count: texts.count, maxLevel: maxLevel)
      for text in texts { append(Array(text.utf8)) }
    case .byteArrays(let arrays):
      valueCount = arrays.count
      appendLevel(maxLevel, count: arrays.count, maxLevel: maxLevel)
      for array in arrays { append(array) }
    case .textLists(let lists):
      // An empty list is a level of its own: the list is there, and nothing in it.
      let repetition = lists.flatMap { list in (0..<max(list.count, 1)).map { $0 == 0 ? 0 : 1 } }
      let definition = lists.flatMap { list in
        list.isEmpty ? [1] : [Int](repeating: maxLevel, count: list.count)
      }
      valueCount = definition.count
      appendLevels(repetition, maxLevel: schema.listDepth)
      appendLevels(definition, maxLevel: maxLevel)
      for text in lists.joined() { append(Array(text.utf8)) }
    }
  }

  func header(path: String, column: String) throws(FileError) -> [UInt8] {
    guard let byteCount = Int32(exactly: bytes.count), let valueCount = Int32(exactly: valueCount)
    else {
      throw FileError(
        .tooLarge, path: path, item: column,
        problem: "has \(bytes.count) bytes in one row group, and parquet allows \(Int32.max)",
        advice: "write fewer rows at a time")
    }
    let checksum = bytes.withUnsafeBytes { Checksum.crc32($0) }
    var writer = ThriftWriter()
    writer.field(1, 0)  // a data page
    writer.field(2, byteCount)
    writer.field(3, byteCount)
    writer.field(4, Int32(bitPattern: checksum))
    writer.field(5) { writer in
      writer.field(1, valueCount)
      writer.field(2, 0)  // PLAIN
      writer.field(3, 3)  // RLE, of both kinds of levels
      writer.field(4, 3)
    }
    writer.end()
    return writer.bytes
  }

  /// 0 where a row begins, else the depth of the list that the value continues.
  private static func repetitionLevels(_ shape: [Int]) -> [Int] {
    let depth = shape.count - 1
    // How many values one element of a list has, by its depth.
    let sizes = (0...depth).map { shape[($0 + 1)...].reduce(1, *) }
    return (0..<shape.reduce(1, *)).map { index in
      sizes.firstIndex { index % $0 == 0 } ?? depth
    }
  }

  /// One run of one level.
  private mutating func appendLevel(_ level: Int, count: Int, maxLevel: Int) {
    var run: [UInt8] = []
    if count > 0 {
      run.appendVarint(UInt64(count) << 1)
      run.append(UInt8(level))
    }
    bytes += littleEndianBytes(UInt32(run.count)) + run
  }

  /// Levels packed into bits, eight at a time.
  private mutating func appendLevels(_ levels: [Int], maxLevel: Int) {
    var packed: [UInt8] = []
    if !levels.isEmpty {
      let bitWidth = Int.bitWidth - maxLevel.leadingZeroBitCount
      let groupCount = (levels.count + 7) / 8
      packed.appendVarint(UInt64(groupCount) << 1 | 1)
      let start = packed.count
      packed += [UInt8](repeating: 0, count: groupCount * bitWidth)
      for (index, level) in levels.enumerated() {
        for bit in 0..<bitWidth where level >> bit & 1 == 1 {
          let position = index * bitWidth + bit
          packed[start + position >> 3] |= 1 << UInt8(position & 7)
        }
      }
    }
    bytes += littleEndianBytes(UInt32(packed.count)) + packed
  }

  private mutating func append(_ array: [UInt8]) {
    bytes += littleEndianBytes(UInt32(array.count))
    bytes += array
  }

  private mutating func appendNumbers(_ tensor: StoredTensor) {
    switch tensor.elementType {
    case .float64, .float32, .float16, .bfloat16, .int64, .int32, .uint64, .uint32:
      tensor.withUnsafeBytes { bytes.append(contentsOf: $0) }
    case .int16, .int8, .uint16, .uint8:
      for number in tensor.integers ?? [] { bytes += littleEndianBytes(Int32(number)) }
    case .bool:
      let start = bytes.count
      bytes += [UInt8](repeating: 0, count: (tensor.count + 7) / 8)
      for (index, value) in (tensor.integers ?? []).enumerated() where value != 0 {
        bytes[start + index >> 3] |= 1 << UInt8(index & 7)
      }
    }
  }
}
