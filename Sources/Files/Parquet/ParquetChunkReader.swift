/// Reads the values of one column, row group by row group.
struct ParquetChunkReader {
  private let column: ParquetColumn
  /// Memory that values may take, lest a few bytes of runs become gigabytes.
  private let maxByteCount: Int

  /// The values so far: numbers back to back, or byte arrays.
  private var numbers: [UInt8] = []
  private var byteArrays: [Bytes] = []
  private var valueCount = 0
  /// Where each row's values begin; nil while every row has just one.
  private var rowStarts: [Int]?
  private var rowCount = 0

  /// Beyond it, a column takes at most so many bytes for each that the file has for it.
  private static let freeByteCount = 256 << 20
  private static let maxRatio = 4_096

  /// - Parameters:
  ///   - column: one that is not unreadable.
  ///   - byteCount: of all its chunks that will be read.
  init(_ column: ParquetColumn, byteCount: Int) {
    self.column = column
    let (product, overflow) = byteCount.multipliedReportingOverflow(by: ParquetChunkReader.maxRatio)
    let (sum, carry) = product.addingReportingOverflow(ParquetChunkReader.freeByteCount)
    maxByteCount = overflow || carry ? .max : sum
    if column.listDepth > 0 { rowStarts = [] }
  }

  /// What was read.
  func values() -> ParquetValues {
    let starts = rowStarts.map { $0 + [valueCount] }
    if case .numbers(let elementType) = column.storage {
      let stored = StoredTensor(
        elementType, shape: [valueCount], bytes: Bytes(copying: numbers))
      return ParquetValues(column: column.name, rowCount: rowCount, starts: starts, numbers: stored)
    }
    return ParquetValues(
      column: column.name, rowCount: rowCount, starts: starts, byteArrays: byteArrays)
  }

  /// Adds the rows of a row group.
  mutating func add(
    _ chunk: ParquetFooter.Chunk, rowCount expectedRowCount: Int, in file: Bytes,
    place: ParquetPlace
  ) throws(FileError) {
    let codec = try ParquetCodec(chunk.codec, place)
    var pages = ParquetPages(file[chunk.range], codec: codec, column: column, place: place)
    var dictionary: ParquetDictionary?
    let firstRow = rowCount
    var readCount = 0
    while readCount < chunk.valueCount {
      guard !pages.isAtEnd else {
        throw place.malformed("has \(readCount) values, the footer states \(chunk.valueCount)")
      }
      switch try pages.next() {
      case .other: break
      case .dictionary(let values, let valueCount):
        guard dictionary == nil, readCount == 0 else {
          throw pages.lastPlace.malformed("is a dictionary that does not come first")
        }
        dictionary = try ParquetDictionary(
          values, count: valueCount, column: column, place: pages.lastPlace)
      case .data(let page):
        guard page.valueCount <= chunk.valueCount - readCount else {
          throw pages.lastPlace.malformed("has more values than the footer states")
        }
        try add(page, dictionary, isFirst: readCount == 0, pages.lastPlace)
        readCount += page.valueCount
      }
    }
    guard rowCount - firstRow == expectedRowCount else {
      throw place.malformed(
        "has \(rowCount - firstRow) rows, the footer states \(expectedRowCount)")
    }
  }

  private mutating func add(
    _ page: ParquetDataPage, _ dictionary: ParquetDictionary?, isFirst: Bool, _ place: ParquetPlace
  ) throws(FileError) {
    let size = byteArraySize ?? column.byteCount
    // A row's start takes as much as a number.
    guard let total = Checked.sum(valueCount, rowCount, page.valueCount),
      let byteCount = Checked.product([total, max(size, 8)]), byteCount <= maxByteCount
    else {
      throw FileError(
        .tooLarge, path: place.path, item: place.item,
        problem: "has \(page.valueCount) values more, which a file of this size does not explain",
        advice: "the file is damaged; otherwise read fewer row groups at a time")
    }
    let presentCount = try addLevels(page, isFirst: isFirst, place)
    try addValues(page, count: presentCount, dictionary, place)
    valueCount += presentCount
  }

  private var byteArraySize: Int? {
    column.storage == .bytes ? MemoryLayout<Bytes>.stride : nil
  }
}

// Levels: which rows have how many values.
extension ParquetChunkReader {
  /// Finds the rows of a page and gives how many values are stored in it.
  private mutating func addLevels(
    _ page: ParquetDataPage, isFirst: Bool, _ place: ParquetPlace
  ) throws(FileError) -> Int {
    guard let definition = page.definitionLevels else {
      // Neither nulls nor lists, of which each would add a level.
      rowCount += page.valueCount
      return page.valueCount
    }
    return try definition.withUnsafeBytes { definition throws(FileError) in
      guard let repetition = page.repetitionLevels else {
        return try addFlat(definition, count: page.valueCount, place)
      }
      return try repetition.withUnsafeBytes { repetition throws(FileError) in
        try addLists(definition, repetition, count: page.valueCount, isFirst: isFirst, place)
      }
    }
  }

  private static func decoder(
    _ levels: UnsafeRawBufferPointer, maxLevel: Int, _ place: ParquetPlace
  ) throws(FileError) -> HybridDecoder {
    let bitWidth = Int.bitWidth - maxLevel.leadingZeroBitCount
    guard let decoder = HybridDecoder(levels, bitWidth: bitWidth) else {
      throw place.malformed("has levels of \(bitWidth) bits")
    }
    return decoder
  }

  /// Rows of one value or none.
  private mutating func addFlat(
    _ levels: UnsafeRawBufferPointer, count: Int, _ place: ParquetPlace
  ) throws(FileError) -> Int {
    let maxLevel = column.maxDefinitionLevel
    var decoder = try ParquetChunkReader.decoder(levels, maxLevel: maxLevel, place)
    var presentCount = 0
    for _ in 0..<count {
      guard let level = decoder.next(), level <= UInt32(maxLevel) else {
        throw place.malformed("has wrong definition levels, or too few")
      }
      let isPresent = level == UInt32(maxLevel)
      if !isPresent, rowStarts == nil { rowStarts = Array(0..<rowCount) }
      rowStarts?.append(valueCount + presentCount)
      rowCount += 1
      if isPresent { presentCount += 1 }
    }
    return presentCount
  }

  /// Rows that are lists; an empty list and a null have no values.
  private mutating func addLists(
    _ definition: UnsafeRawBufferPointer, _ repetition: UnsafeRawBufferPointer, count: Int,
    isFirst: Bool, _ place: ParquetPlace
  ) throws(FileError) -> Int {
    var definitions = try ParquetChunkReader.decoder(
      definition, maxLevel: column.maxDefinitionLevel, place)
    var repetitions = try ParquetChunkReader.decoder(
      repetition, maxLevel: column.listDepth, place)
    let (maxLevel, maxRepetition) = (UInt32(column.maxDefinitionLevel), UInt32(column.listDepth))
    let elementLevel = UInt32(column.elementDefinitionLevel)
    var presentCount = 0
    for index in 0..<count {
      guard let level = definitions.next(), let repetition = repetitions.next(), level <= maxLevel,
        repetition <= maxRepetition
      else { throw place.malformed("has wrong levels, or too few") }
      if repetition == 0 {
        rowStarts?.append(valueCount + presentCount)
        rowCount += 1
      } else if isFirst, index == 0 {
        throw place.malformed("begins in the middle of a row")
      }
      if level == maxLevel {
        presentCount += 1
      } else if level >= elementLevel {
        throw place.unsupported(
          "has a null in the list of row \(rowCount - 1)", advice: "write a number in its place")
      }
    }
    return presentCount
  }
}

// Values: those that are there, back to back.
extension ParquetChunkReader {
  private mutating func addValues(
    _ page: ParquetDataPage, count: Int, _ dictionary: ParquetDictionary?, _ place: ParquetPlace
  ) throws(FileError) {
    let isBoolean = column.physicalType == .boolean
    switch page.encoding {
    case 0:
      if isBoolean {
        try addPackedBooleans(page.values, count: count, place)
      } else if column.storage == .bytes {
        byteArrays += try ParquetDictionary.byteArrays(
          page.values, count: count, column: column, place: place)
      } else {
        try addNumbers(page.values, count: count, place)
      }
    case 2, 8:
      guard let dictionary else { throw place.malformed("refers to a dictionary that is missing") }
      try addReferences(page.values, count: count, dictionary, place)
    case 3 where isBoolean: try addBooleanRuns(page.values, count: count, place)
    default:
      throw place.unsupported(
        "has values of encoding \(ParquetEncoding.name(page.encoding)), which Attune does not read",
        advice: "write the file with pyarrow's usual settings, which are PLAIN and dictionaries")
    }
  }

  private mutating func addNumbers(
    _ values: Bytes, count: Int, _ place: ParquetPlace
  ) throws(FileError) {
    // A product of numbers that were compared with the memory limit.
    guard count * column.byteCount <= values.count else {
      throw place.malformed("has \(values.count) bytes for \(count) values")
    }
    values[0..<(count * column.byteCount)].withUnsafeBytes { numbers.append(contentsOf: $0) }
  }

  private mutating func addPackedBooleans(
    _ values: Bytes, count: Int, _ place: ParquetPlace
  ) throws(FileError) {
    guard (count + 7) / 8 <= values.count else {
      throw place.malformed("has \(values.count) bytes for \(count) booleans")
    }
    values.withUnsafeBytes { bytes in
      for index in 0..<count { numbers.append(bytes[index >> 3] >> UInt8(index & 7) & 1) }
    }
  }

  private mutating func addBooleanRuns(
    _ values: Bytes, count: Int, _ place: ParquetPlace
  ) throws(FileError) {
    guard count > 0 else { return }
    var cursor = ByteCursor(values, path: place.path, part: place.item)
    let runs = try cursor.take(Int(try cursor.number(UInt32.self)))
    try runs.withUnsafeBytes { bytes throws(FileError) in
      var decoder = HybridDecoder(bytes, bitWidth: 1)
      for _ in 0..<count {
        guard let value = decoder?.next() else {
          throw place.malformed("has fewer booleans than it states")
        }
        numbers.append(value == 0 ? 0 : 1)
      }
    }
  }

  private mutating func addReferences(
    _ values: Bytes, count: Int, _ dictionary: ParquetDictionary, _ place: ParquetPlace
  ) throws(FileError) {
    guard count > 0 else { return }
    try values.withUnsafeBytes { bytes throws(FileError) in
      guard let bitWidth = bytes.first,
        var decoder = HybridDecoder(
          UnsafeRawBufferPointer(rebasing: bytes[1...]), bitWidth: Int(bitWidth))
      else { throw place.malformed("has references of an impossible size") }
      for _ in 0..<count {
        guard let next = decoder.next() else {
          throw place.malformed("has fewer references than values")
        }
        let reference = Int(next)
        guard reference < dictionary.count else {
          throw place.malformed(
            "refers to value \(reference) of a dictionary of \(dictionary.count)")
        }
        if let arrays = dictionary.byteArrays {
          byteArrays.append(arrays[reference])
        } else {
          let size = column.byteCount
          dictionary.numbers.withUnsafeBytes {
            numbers.append(
              contentsOf: UnsafeRawBufferPointer(
                rebasing: $0[(reference * size)..<((reference + 1) * size)]))
          }
        }
      }
    }
  }
}

/// The values that data pages of a chunk refer to by number.
struct ParquetDictionary {
  let count: Int
  let numbers: Bytes
  /// Nil in a column of numbers.
  let byteArrays: [Bytes]?

  init(
    _ values: Bytes, count: Int, column: ParquetColumn, place: ParquetPlace
  ) throws(FileError) {
    self.count = count
    numbers = values
    if column.storage == .bytes {
      byteArrays = try ParquetDictionary.byteArrays(
        values, count: count, column: column, place: place)
      return
    }
    byteArrays = nil
    guard column.physicalType != .boolean,
      let byteCount = Checked.product([count, column.byteCount]), byteCount <= values.count
    else { throw place.malformed("has \(values.count) bytes for \(count) values of a dictionary") }
  }

  /// Byte arrays as they are stored plainly: of the schema's length, or each behind its own.
  static func byteArrays(
    _ values: Bytes, count: Int, column: ParquetColumn, place: ParquetPlace
  ) throws(FileError) -> [Bytes] {
    var cursor = ByteCursor(values, path: place.path, part: place.item)
    let isFixed = column.physicalType == .fixedLengthByteArray
    guard let minByteCount = Checked.product([count, isFixed ? column.byteCount : 4]),
      minByteCount <= values.count
    else { throw place.malformed("has \(values.count) bytes for \(count) byte arrays") }
    var arrays: [Bytes] = []
    arrays.reserveCapacity(count)
    for _ in 0..<count {
      let length = isFixed ? column.byteCount : Int(try cursor.number(UInt32.self))
      arrays.append(try cursor.take(length))
    }
    return arrays
  }
}
