import Configuration

/// A safetensors file, mapped into memory: opening it reads the header only.
public struct SafetensorsFile: TensorFile {
  /// The path that it was opened by.
  public let path: String
  /// The names of all tensors, sorted.
  public let names: [String]
  /// The texts stored beside the tensors.
  public var metadata: [String: String] { header.metadata }

  private let header: SafetensorsHeader
  private let data: Bytes

  /// Opens a file and checks its header against its size.
  ///
  /// - Throws: `FileError` if it cannot be opened or is not a valid safetensors file.
  public init(path: String) throws(FileError) {
    let bytes = try MappedFile.bytes(path: path)
    self.path = path
    header = try SafetensorsHeader(bytes, path: path)
    names = header.entries.keys.sorted()
    data = bytes[header.dataStart..<bytes.count]
  }

  /// Gives a view of one tensor; its bytes are loaded when they are looked at.
  ///
  /// - Throws: `FileError` if there is no such tensor.
  public func storedTensor(named name: String) throws(FileError) -> StoredTensor {
    guard let entry = header.entries[name] else { throw missing(name) }
    return StoredTensor(entry.elementType, shape: entry.shape, bytes: data[entry.range])
  }
}

/// The JSON header of a safetensors file, checked against the size of what follows it.
struct SafetensorsHeader: Sendable {
  struct Entry: Sendable {
    let elementType: ElementType
    let shape: [Int]
    /// Within the data that follows the header.
    let range: Range<Int>
  }

  private(set) var entries: [String: Entry] = [:]
  private(set) var metadata: [String: String] = [:]
  /// Where the data starts in the file.
  let dataStart: Int

  /// The format's own limit.
  static let maxHeaderByteCount = 100_000_000
  private static let metadataKey = "__metadata__"
  private static let maxRank = 64

  init(_ bytes: Bytes, path: String) throws(FileError) {
    var cursor = ByteCursor(bytes, path: path, part: "header")
    let byteCount = try cursor.number(UInt64.self)
    guard byteCount <= UInt64(SafetensorsHeader.maxHeaderByteCount) else {
      throw FileError(
        .malformed, path: path, item: "header",
        problem: "claims \(byteCount) bytes, more than the 100,000,000 that the format allows",
        advice: "the file is damaged or not a safetensors file")
    }
    let json = try cursor.take(Int(byteCount))
    dataStart = cursor.position
    var scanner = JSONScanner(json, path: path, part: "header")
    // The format wants the first byte to be a brace, which also excludes most other files.
    guard json.matches([UInt8(ascii: "{")]) else { throw scanner.error("a brace is expected") }
    try scanner.object { scanner, key throws(FileError) in
      if key == SafetensorsHeader.metadataKey {
        try readMetadata(&scanner)
      } else {
        let entry = try SafetensorsHeader.entry(&scanner, name: key, path: path)
        guard entries.updateValue(entry, forKey: key) == nil else {
          throw scanner.error("the tensor '\(key.printable(limit: 100))' appears twice")
        }
      }
    }
    try scanner.end()
    try checkRanges(dataByteCount: bytes.count - dataStart, path: path)
  }

  private mutating func readMetadata(_ scanner: inout JSONScanner) throws(FileError) {
    try scanner.object { scanner, key throws(FileError) in
      metadata[key] = try scanner.string()
    }
  }

  private static func entry(
    _ scanner: inout JSONScanner, name: String, path: String
  ) throws(FileError) -> Entry {
    var code: String?
    var shape: [Int]?
    var offsets: [Int]?
    try scanner.object { scanner, key throws(FileError) in
      switch key {
      case "dtype": code = try scanner.string()
      case "shape": shape = try counts(&scanner)
      case "data_offsets": offsets = try counts(&scanner)
      default: try scanner.skipValue()
      }
    }
    guard let code, let shape, let offsets, offsets.count == 2 else {
      throw FileError(
        .malformed, path: path, item: name,
        problem: "needs dtype, shape and two data_offsets in the header")
    }
    guard let elementType = ElementType(safetensorsCode: code) else {
      throw FileError(
        .unsupported, path: path, item: name,
        problem: "has the type \(code.printable(limit: 20)), which Attune does not read",
        advice: "save it as one of \(ElementType.safetensorsCodes)")
    }
    guard offsets[0] <= offsets[1] else {
      throw FileError(
        .malformed, path: path, item: name,
        problem: "ends at byte \(offsets[1]) before it begins at \(offsets[0])")
    }
    let byteCount = offsets[1] - offsets[0]
    guard Checked.byteCount(shape: shape, of: elementType) == byteCount else {
      throw FileError(
        .malformed, path: path, item: name,
        problem: "is \(code) of shape \(shape), which are not the \(byteCount) bytes it has")
    }
    return Entry(elementType: elementType, shape: shape, range: offsets[0]..<offsets[1])
  }

  private static func counts(_ scanner: inout JSONScanner) throws(FileError) -> [Int] {
    var counts: [Int] = []
    try scanner.array { scanner throws(FileError) in
      guard counts.count < maxRank else {
        throw scanner.error("a shape has more than \(maxRank) dimensions")
      }
      counts.append(try scanner.count())
    }
    return counts
  }

  /// The tensors must cover the data exactly: nothing hidden between them, nothing shared.
  private func checkRanges(dataByteCount: Int, path: String) throws(FileError) {
    let ordered = entries.sorted {
      ($0.value.range.lowerBound, $0.value.range.upperBound, $0.key)
        < ($1.value.range.lowerBound, $1.value.range.upperBound, $1.key)
    }
    var end = 0
    for (name, entry) in ordered {
      guard entry.range.lowerBound == end else {
        let what = entry.range.lowerBound < end ? "overlaps the one before" : "follows a hole"
        throw FileError(
          .malformed, path: path, item: name,
          problem: "\(what): it begins at byte \(entry.range.lowerBound), not \(end)",
          advice: "the file is damaged")
      }
      end = entry.range.upperBound
    }
    guard end == dataByteCount else {
      throw FileError(
        end > dataByteCount ? .truncated : .malformed, path: path,
        problem: "has \(dataByteCount) bytes of data, but its header describes \(end)",
        advice: "the file is incomplete or damaged: fetch it again")
    }
  }
}

extension ElementType {
  private static let codes: [(ElementType, String)] = [
    (.float64, "F64"), (.float32, "F32"), (.float16, "F16"), (.bfloat16, "BF16"),
    (.int64, "I64"), (.int32, "I32"), (.int16, "I16"), (.int8, "I8"), (.uint64, "U64"),
    (.uint32, "U32"), (.uint16, "U16"), (.uint8, "U8"),
    (.bool, "BOOL"),
  ]

  static let safetensorsCodes = codes.map(\.1).joined(separator: " ")

  init?(safetensorsCode code: String) {
    guard let match = ElementType.codes.first(where: { $0.1 == code }) else { return nil }
    self = match.0
  }

  var safetensorsCode: String {
    // Every case is in the table; a test goes through them.
    ElementType.codes.first { $0.0 == self }!.1
  }
}

extension SafetensorsFile {
  /// Writes tensors and texts; the file appears under its name only when it is complete.
  ///
  /// Equal tensors give equal files: names are sorted, and wider element types come first so that
  /// every tensor is aligned.
  ///
  /// - Throws: `FileError` if the system refuses.
  public static func write(
    _ tensors: [String: StoredTensor], metadata: [String: String] = [:], to path: String
  ) throws(FileError) {
    guard tensors["__metadata__"] == nil else {
      throw FileError(
        .unsupported, path: path, item: "__metadata__",
        problem: "is a name that the format keeps for itself", advice: "rename the tensor")
    }
    let ordered = tensors.sorted {
      ($1.value.elementType.byteCount, $0.key) < ($0.value.elementType.byteCount, $1.key)
    }
    let header = header(of: ordered, metadata: metadata)
    try AtomicFile.write(to: path) { file throws(FileError) in
      try file.append(littleEndianBytes(UInt64(header.count)))
      try file.append(header)
      for (_, tensor) in ordered {
        try tensor.withUnsafeBytes { bytes throws(FileError) in try file.append(bytes) }
      }
    }
  }

  private static func header(
    of tensors: [(key: String, value: StoredTensor)], metadata: [String: String]
  ) -> [UInt8] {
    var members: [String] = []
    if !metadata.isEmpty {
      let texts = metadata.sorted { $0.key < $1.key }.map {
        JSONText.string($0.key) + ":" + JSONText.string($0.value)
      }
      members.append("\"__metadata__\":{\(texts.joined(separator: ","))}")
    }
    var start = 0
    for (name, tensor) in tensors {
      let end = start + tensor.byteCount
      members.append(
        JSONText.string(name) + ":{\"dtype\":\"\(tensor.elementType.safetensorsCode)\",\"shape\":"
          + JSONText.array(tensor.shape) + ",\"data_offsets\":[\(start),\(end)]}")
      start = end
    }
    var header = Array("{\(members.joined(separator: ","))}".utf8)
    // The length itself takes eight bytes, so that the data starts at a multiple of eight.
    while header.count % 8 != 0 { header.append(UInt8(ascii: " ")) }
    return header
  }
}
