import Tensors

/// What describes an array of a zarr hierarchy.
struct ZarrArray: Sendable {
  /// How the bytes of a chunk are compressed.
  enum Codec: Sendable, Equatable { case blosc, zstd, zlib, gzip, lz4 }

  let elementType: ElementType
  let shape: [Int]
  let chunkShape: [Int]
  let isBigEndian: Bool
  /// In the order of writing.
  let codecs: [Codec]
  /// The bytes of an element that was never written.
  let fill: [UInt8]
  private let chunkPrefix: String
  private let separator: String

  private static let maxRank = 32

  /// The key of a chunk below the array's name.
  func chunkKey(_ index: [Int]) -> String {
    let numbers = index.map(String.init).joined(separator: separator)
    // Version 3 joins the letter, too; an array without dimensions has one chunk.
    if chunkPrefix.isEmpty { return index.isEmpty ? "0" : numbers }
    return index.isEmpty ? chunkPrefix : chunkPrefix + separator + numbers
  }

  /// Reads the description of version 2, `.zarray`.
  init(version2 json: JSONValue, _ place: ZarrPlace) throws(FileError) {
    let json = try place.object(json)
    try place.require(json["zarr_format"] == 2, "zarr_format is not 2")
    let code = try place.text(json["dtype"], "dtype")
    guard let type = ElementType.parsed(npyCode: code) else {
      throw place.unsupported("the type \(code)", "store it as one of \(ElementType.npyCodes)")
    }
    (elementType, isBigEndian) = (type.type, type.isBigEndian)
    shape = try place.counts(json["shape"], "shape")
    chunkShape = try place.counts(json["chunks"], "chunks")
    if json["order"] == "F", shape.count > 1 {
      throw place.unsupported("order F", "write it in order C")
    }
    if case .array(let filters)? = json["filters"], !filters.isEmpty {
      throw place.unsupported("filters (\(ZarrPlace.names(filters)))", "write it without filters")
    }
    switch json["compressor"] {
    case nil, .null?: codecs = []
    case .object(let compressor)?:
      let name = try place.text(compressor["id"], "compressor.id")
      let known: [String: Codec] = [
        "blosc": .blosc, "zstd": .zstd, "zlib": .zlib, "gzip": .gzip, "lz4": .lz4,
      ]
      guard let codec = known[name] else { throw place.unsupportedCodec(name) }
      codecs = [codec]
    default: throw place.malformed("compressor is no object")
    }
    fill = try place.fill(json["fill_value"] ?? .null, type.type)
    chunkPrefix = ""
    separator = json["dimension_separator"] == "/" ? "/" : "."
    try check(place)
  }

  /// Reads the description of version 3, `zarr.json` of an array.
  init(version3 json: [String: JSONValue], _ place: ZarrPlace) throws(FileError) {
    let name = try place.text(json["data_type"], "data_type")
    guard let type = ElementType(rawValue: name), type != .bfloat16 else {
      throw place.unsupported("the type \(name)", "store it as numbers or booleans")
    }
    elementType = type
    shape = try place.counts(json["shape"], "shape")
    let grid = try place.named(json["chunk_grid"], "chunk_grid")
    guard grid.name == "regular" else {
      throw place.unsupported("the chunk grid '\(grid.name)'", "write it with regular chunks")
    }
    chunkShape = try place.counts(grid.settings["chunk_shape"], "chunk_shape")
    let encoding = try place.named(json["chunk_key_encoding"], "chunk_key_encoding")
    let isDefault = encoding.name == "default"
    guard isDefault || encoding.name == "v2" else {
      throw place.unsupported("the chunk keys '\(encoding.name)'", "write it with default ones")
    }
    chunkPrefix = isDefault ? "c" : ""
    switch encoding.settings["separator"] {
    case "/"?: separator = "/"
    case "."?: separator = "."
    default: separator = isDefault ? "/" : "."
    }
    guard case .array(let stated)? = json["codecs"] else {
      throw place.malformed("codecs is no list")
    }
    var codecs: [Codec] = []
    var isBigEndian: Bool?
    for entry in stated {
      let codec = try place.named(entry, "codecs")
      switch codec.name {
      case "bytes" where isBigEndian == nil && codecs.isEmpty:
        isBigEndian = codec.settings["endian"] == "big" && type.byteCount > 1
      case "blosc" where isBigEndian != nil: codecs.append(.blosc)
      case "zstd" where isBigEndian != nil: codecs.append(.zstd)
      case "gzip" where isBigEndian != nil: codecs.append(.gzip)
      default: throw place.unsupportedCodec(codec.name)
      }
    }
    guard let isBigEndian else { throw place.malformed("has no codec 'bytes'") }
    (self.isBigEndian, self.codecs) = (isBigEndian, codecs)
    if case .array(let transformers)? = json["storage_transformers"], !transformers.isEmpty {
      throw place.unsupported(
        "storage transformers (\(ZarrPlace.names(transformers)))", "write it without them")
    }
    fill = try place.fill(json["fill_value"] ?? .null, type)
    try check(place)
  }

  private func check(_ place: ZarrPlace) throws(FileError) {
    try place.require(shape.count <= Self.maxRank, "has \(shape.count) dimensions")
    try place.require(
      chunkShape.count == shape.count, "has chunks \(chunkShape) of a shape \(shape)")
    try place.require(chunkShape.allSatisfy { $0 > 0 }, "has chunks \(chunkShape)")
    try place.require(
      Checked.byteCount(shape: shape, of: elementType) != nil
        && Checked.byteCount(shape: chunkShape, of: elementType) != nil,
      "has the impossible shape \(shape), chunks \(chunkShape)")
  }
}

/// Where in a zarr hierarchy something is, for errors, and what is expected there.
struct ZarrPlace {
  let path: String
  /// The name of the array.
  let item: String

  func malformed(_ problem: String) -> FileError {
    FileError(
      .malformed, path: path, item: item, problem: "is damaged: \(problem)",
      advice: "fetch or write it again")
  }

  func unsupported(_ what: String, _ advice: String) -> FileError {
    FileError(
      .unsupported, path: path, item: item, problem: "has \(what), which Attune does not read",
      advice: advice)
  }

  func unsupportedCodec(_ name: String) -> FileError {
    unsupported(
      "the codec '\(name)'", "write it with Blosc (lz4 or zstd), zstd, gzip or without a codec")
  }

  func require(_ condition: Bool, _ problem: String) throws(FileError) {
    guard condition else { throw malformed(problem) }
  }

  func object(_ json: JSONValue) throws(FileError) -> [String: JSONValue] {
    guard case .object(let members) = json else { throw malformed("is no object") }
    return members
  }

  func text(_ json: JSONValue?, _ key: String) throws(FileError) -> String {
    switch json {
    case .string(let text)?: return text
    // A type of several fields, or one with settings.
    case .array(let fields)?: return "[\(Self.names(fields))]"
    case .object(let members)?:
      guard case .string(let name)? = members["name"] else { throw malformed("\(key) has no name") }
      return name
    default: throw malformed("\(key) is no text")
    }
  }

  func counts(_ json: JSONValue?, _ key: String) throws(FileError) -> [Int] {
    guard case .array(let values)? = json else { throw malformed("\(key) is no list") }
    var counts: [Int] = []
    for value in values {
      guard case .number(let number) = value, let count = Int(exactly: number), count >= 0 else {
        throw malformed("\(key) has something other than sizes")
      }
      counts.append(count)
    }
    return counts
  }

  /// A name with settings, which version 3 writes as an object, or as the name alone.
  func named(
    _ json: JSONValue?, _ key: String
  ) throws(FileError) -> (name: String, settings: [String: JSONValue]) {
    if case .string(let name)? = json { return (name, [:]) }
    guard case .object(let members)? = json, case .string(let name)? = members["name"] else {
      throw malformed("\(key) has no name")
    }
    guard case .object(let settings)? = members["configuration"] else { return (name, [:]) }
    return (name, settings)
  }

  /// The bytes of an element that was never written.
  func fill(_ json: JSONValue, _ type: ElementType) throws(FileError) -> [UInt8] {
    let number: Double
    switch json {
    case .null: number = 0
    case .boolean(let boolean): number = boolean ? 1 : 0
    case .number(let stated): number = stated
    case .string("NaN") where type.isFloatingPoint: number = .nan
    case .string("Infinity") where type.isFloatingPoint: number = .infinity
    case .string("-Infinity") where type.isFloatingPoint: number = -.infinity
    default: throw unsupported("a fill value that is no number", "write every chunk, or give it 0")
    }
    switch type {
    case .float64: return littleEndianBytes(number.bitPattern)
    case .float32: return littleEndianBytes(Float(number).bitPattern)
    case .float16:
      return StoredTensor(Tensor([Float(number)]), as: .float16).withUnsafeBytes { Array($0) }
    case .bfloat16: throw unsupported("the type bfloat16", "store it as float32")
    case .int64, .int32, .int16, .int8, .uint64, .uint32, .uint16, .uint8, .bool:
      // A number beyond 2^53 is not exact in JSON's numbers as they are read here.
      guard let whole = Int(exactly: number), let bytes = Self.bytes(whole, type) else {
        throw malformed("fill_value \(number) is no \(type.rawValue)")
      }
      return bytes
    }
  }

  private static func bytes(_ whole: Int, _ type: ElementType) -> [UInt8]? {
    let size = type.byteCount
    let isSigned = [.int64, .int32, .int16, .int8].contains(type)
    let bits = 8 * size - (isSigned ? 1 : 0)
    let limit = type == .bool ? 1 : bits >= 63 ? Int.max : 1 << bits - 1
    guard whole <= limit, whole >= (isSigned ? -limit - 1 : 0) else { return nil }
    return Array(littleEndianBytes(whole)[..<size])
  }

  /// The names in a list of things that have one.
  static func names(_ values: [JSONValue]) -> String {
    values.map { value -> String in
      switch value {
      case .string(let name): return name
      case .array(let parts): return names(parts)
      case .object(let members):
        if case .string(let name)? = members["id"] ?? members["name"] { return name }
        return "?"
      case .null, .boolean, .number: return "?"
      }
    }.joined(separator: ", ")
  }
}
