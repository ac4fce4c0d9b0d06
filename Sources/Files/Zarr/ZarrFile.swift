/// The arrays of a zarr hierarchy, version 2 or 3: a folder, or a zip archive of one.
///
/// Opening one reads what describes the arrays; chunks are read with an array. Read are arrays of
/// numbers and booleans in order C, uncompressed or with Blosc (lz4, zstd, zlib, snappy), zstd, gzip,
/// zlib and lz4.
public struct ZarrFile: TensorFile {
  /// The path that it was opened by.
  public let path: String
  /// The names of all arrays that can be read, sorted, as in `data/action`.
  public let names: [String]
  /// Why each of the other arrays is not read, by name.
  public var unreadable: [String: String] { refusals.mapValues(\.problem) }

  private let store: ZarrStore
  private let arrays: [String: ZarrArray]
  private let refusals: [String: FileError]

  /// Beyond what stored bytes can stand for, so much may never have been written.
  private static let maxUnwrittenByteCount = 16 << 20
  /// What is the same everywhere takes next to nothing.
  private static let maxRatio = 4_096

  /// Whether a folder is likely one.
  public static func isLikely(folder: String) -> Bool { ZarrStore.isLikely(folder: folder) }

  /// Opens a folder or a zip archive.
  ///
  /// - Throws: `FileError` if it cannot be opened or what describes an array is damaged.
  public init(path: String) throws(FileError) {
    self.path = path
    store = try ZarrStore(path: path)
    var arrays: [String: ZarrArray] = [:]
    var refusals: [String: FileError] = [:]
    for (name, key) in try store.nodes() {
      let place = ZarrPlace(path: path, item: name)
      guard let bytes = try store.contents(of: key, path: path) else { continue }
      let json = try JSONValue(bytes, path: path, part: key)
      do {
        arrays[name] = try ZarrFile.array(
          json, isVersion2: key.hasSuffix(ZarrStore.arrayKey), place)
      } catch {
        // An array of another kind does not keep the others from being read; damage does.
        guard error.kind == .unsupported else { throw error }
        refusals[name] = error
      }
    }
    (self.arrays, self.refusals) = (arrays, refusals)
    names = arrays.keys.sorted()
  }

  /// Nil for a group.
  private static func array(
    _ json: JSONValue, isVersion2: Bool, _ place: ZarrPlace
  ) throws(FileError) -> ZarrArray? {
    if isVersion2 { return try ZarrArray(version2: json, place) }
    let members = try place.object(json)
    try place.require(members["zarr_format"] == 3, "zarr_format is not 3")
    return members["node_type"] == "array" ? try ZarrArray(version3: members, place) : nil
  }

  /// The type and shape of an array, without reading its elements; nil if there is no such array.
  public func layout(of name: String) -> (elementType: ElementType, shape: [Int])? {
    arrays[name].map { ($0.elementType, $0.shape) }
  }

  /// Reads one array.
  ///
  /// - Throws: `FileError` if there is no such array, it is of a kind that Attune does not read, or a
  ///   chunk is damaged.
  public func storedTensor(named name: String) throws(FileError) -> StoredTensor {
    if let refusal = refusals[name] { throw refusal }
    guard let array = arrays[name] else { throw missing(name) }
    // Checked when the array was opened.
    let byteCount = Checked.byteCount(shape: array.shape, of: array.elementType) ?? 0
    try requirePossible(byteCount, from: store.byteCount(below: name), item: name)
    let buffer = ByteBuffer(capacity: byteCount)
    var grid = ChunkGrid(array)
    while let chunk = grid.next() {
      try read(chunk, of: array, named: name, into: buffer.memory)
    }
    return StoredTensor(
      array.elementType, shape: array.shape, bytes: buffer.bytes(count: byteCount))
  }

  private func requirePossible(
    _ byteCount: Int, from storedByteCount: Int, item: String
  ) throws(FileError) {
    let (product, overflow) = storedByteCount.multipliedReportingOverflow(by: ZarrFile.maxRatio)
    let limit = max(ZarrFile.maxUnwrittenByteCount, overflow ? .max : product)
    guard byteCount <= limit else {
      throw FileError(
        .malformed, path: path, item: item,
        problem:
          "claims \(byteCount) bytes, which the \(storedByteCount) bytes that are stored cannot "
          + "stand for",
        advice: "the data is damaged, or was never written")
    }
  }

  private func read(
    _ chunk: ChunkGrid.Chunk, of array: ZarrArray, named name: String,
    into target: UnsafeMutableRawBufferPointer
  ) throws(FileError) {
    let key = (name.isEmpty ? "" : "\(name)/") + array.chunkKey(chunk.index)
    guard let stored = try store.contents(of: key, path: path) else {
      chunk.fill(target, with: array.fill)
      return
    }
    let byteCount = Checked.byteCount(shape: array.chunkShape, of: array.elementType) ?? 0
    try requirePossible(byteCount, from: stored.count, item: key)
    let bytes = try decompress(stored, array.codecs, byteCount: byteCount, key: key)
    let whole = StoredTensor(array.elementType, shape: array.chunkShape, bytes: bytes)
    let elements = array.isBigEndian ? whole.byteSwapped : whole
    elements.withUnsafeBytes { chunk.copy($0, into: target, elementByteCount: array.fill.count) }
  }

  /// Undoes codecs, the last first. Only the result's size is known, so that there is one codec that
  /// makes bytes smaller.
  private func decompress(
    _ stored: Bytes, _ codecs: [ZarrArray.Codec], byteCount: Int, key: String
  ) throws(FileError) -> Bytes {
    guard codecs.count <= 1 else {
      throw FileError(
        .unsupported, path: path, item: key, problem: "is compressed several times",
        advice: "write it with one codec")
    }
    func whole(_ bytes: Bytes?) throws(FileError) -> Bytes {
      guard let bytes, bytes.count == byteCount else {
        throw FileError(
          .malformed, path: path, item: key,
          problem: "does not give the \(byteCount) bytes of a chunk",
          advice: "the file is incomplete or damaged: fetch it again")
      }
      return bytes
    }
    switch codecs.first {
    case nil: return try whole(stored)
    case .blosc:
      return try Blosc.decompress(stored, byteCount: byteCount, path: path, item: key)
    case .zstd: return try whole(Zstd.decompress(stored, byteCount: byteCount))
    case .zlib:
      return try Inflater.inflateZlib(stored, byteCount: byteCount, path: path, part: key)
    case .gzip:
      return try Inflater.inflateGzip(stored, byteCount: byteCount, path: path, part: key)
    case .lz4:
      // Four bytes state the size.
      guard stored.count >= 4, Int(stored.number(at: 0, as: UInt32.self)) == byteCount else {
        return try whole(nil)
      }
      return try whole(LZ4.decompress(stored[4..<stored.count], byteCount: byteCount))
    }
  }
}

/// The chunks of an array, one after the other.
private struct ChunkGrid {
  /// A chunk and where it lies in the array.
  struct Chunk {
    let index: [Int]
    let shape: [Int]
    let chunkShape: [Int]

    /// What of the chunk lies in the array.
    private var sizes: [Int] {
      index.indices.map { min(chunkShape[$0], shape[$0] - index[$0] * chunkShape[$0]) }
    }

    /// Calls `body` with each run of elements that lie together: where it begins in the array and in
    /// the chunk, and how many there are.
    private func forEachRun(_ body: (_ target: Int, _ source: Int, _ count: Int) -> Void) {
      guard let last = index.indices.last else { return body(0, 0, 1) }
      let sizes = sizes
      var position = [Int](repeating: 0, count: index.count)
      while true {
        var (target, source) = (0, 0)
        for dimension in index.indices {
          let place = index[dimension] * chunkShape[dimension] + position[dimension]
          target = target * shape[dimension] + place
          source = source * chunkShape[dimension] + position[dimension]
        }
        body(target, source, sizes[last])
        var dimension = last - 1
        while dimension >= 0 {
          position[dimension] += 1
          if position[dimension] < sizes[dimension] { break }
          position[dimension] = 0
          dimension -= 1
        }
        if dimension < 0 { return }
      }
    }

    func copy(
      _ chunk: UnsafeRawBufferPointer, into array: UnsafeMutableRawBufferPointer,
      elementByteCount size: Int
    ) {
      forEachRun { target, source, count in
        array[(target * size)..<((target + count) * size)].copyBytes(
          from: chunk[(source * size)..<((source + count) * size)])
      }
    }

    func fill(_ array: UnsafeMutableRawBufferPointer, with element: [UInt8]) {
      let size = element.count
      let isZero = element.allSatisfy { $0 == 0 }
      forEachRun { target, _, count in
        if isZero {
          let run = UnsafeMutableRawBufferPointer(
            rebasing: array[(target * size)..<((target + count) * size)])
          run.initializeMemory(as: UInt8.self, repeating: 0)
          return
        }
        for place in target..<(target + count) {
          array[(place * size)..<((place + 1) * size)].copyBytes(from: element)
        }
      }
    }
  }

  private let shape: [Int], chunkShape: [Int]
  /// How many chunks there are along each dimension.
  private let counts: [Int]
  private var following: [Int]?

  init(_ array: ZarrArray) {
    (shape, chunkShape) = (array.shape, array.chunkShape)
    counts = zip(shape, chunkShape).map { $0 == 0 ? 0 : ($0 - 1) / $1 + 1 }
    following = counts.contains(0) ? nil : [Int](repeating: 0, count: counts.count)
  }

  mutating func next() -> Chunk? {
    guard let index = following else { return nil }
    var after = index
    var dimension = counts.count - 1
    while dimension >= 0 {
      after[dimension] += 1
      if after[dimension] < counts[dimension] { break }
      after[dimension] = 0
      dimension -= 1
    }
    following = dimension < 0 ? nil : after
    return Chunk(index: index, shape: shape, chunkShape: chunkShape)
  }
}
