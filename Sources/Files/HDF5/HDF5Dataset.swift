import CHDF5Bridge

/// What a listing says about a dataset.
public struct HDF5Dataset: Sendable {
  /// The names of its groups and its own, joined by slashes.
  public let name: String
  /// The type of its elements when read; nil if they are no numbers
  /// that Attune reads.
  public let elementType: ElementType?
  /// Whether its elements are texts, which `HDF5File.texts(of:)` reads.
  public let isText: Bool
  /// Whether its elements are any number of bytes each, which `HDF5File.byteArrays(of:)` reads.
  public let hasByteArrays: Bool
  /// The name of its type, also where it cannot be read.
  public let typeName: String
  /// The size of each dimension, outermost first.
  public let shape: [Int]
  /// The bytes that it takes in the file, compressed.
  public let storedByteCount: Int
  /// Why it cannot be read, neither as numbers nor as texts; nil if it can.
  public let problem: String?
  /// The maximum number of bytes of elements that the stored ones can stand for.
  let maxByteCount: Int
}

/// Rows of a dataset that were found to be readable.
struct HDF5Selection {
  let dataset: HDF5Dataset
  let elementType: ElementType
  let code: AttuneHDF5ElementType
  /// All rows, or some; nil for a scalar.
  let rows: Range<Int>?
  /// Of what is read.
  let shape: [Int]
  let byteCount: Int
}

extension HDF5File {
  /// Checks a request against the listing.
  func selection(of name: String, rows: Range<Int>?) throws(FileError) -> HDF5Selection {
    guard let dataset = dataset(named: name) else { throw absent(name) }
    guard dataset.problem == nil, let elementType = dataset.elementType,
      let code = elementType.hdf5Code
    else {
      throw FileError(
        .unsupported, path: path, item: name,
        problem: dataset.problem ?? "is \(dataset.typeName), where numbers are expected",
        advice: HDF5File.storageAdvice)
    }
    let rows = try check(rows, of: dataset)
    let shape = rows.map { [$0.count] + dataset.shape.dropFirst() } ?? dataset.shape
    // The whole dataset's size was checked by the listing.
    let byteCount = Checked.byteCount(shape: shape, of: elementType) ?? 0
    guard byteCount <= dataset.maxByteCount else {
      throw FileError(
        .malformed, path: path, item: name,
        problem: "claims \(byteCount) bytes, which the \(dataset.storedByteCount) bytes that it "
          + "has in the file cannot stand for",
        advice: "the file is damaged, or the dataset was never filled")
    }
    return HDF5Selection(
      dataset: dataset, elementType: elementType, code: code, rows: rows, shape: shape,
      byteCount: byteCount)
  }

  /// The rows to read: all of them by default, none of a scalar.
  private func check(
    _ rows: Range<Int>?, of dataset: HDF5Dataset
  ) throws(FileError) -> Range<Int>? {
    guard let rowCount = dataset.shape.first else {
      guard rows == nil else {
        throw FileError(
          .missing, path: path, item: dataset.name, problem: "is a scalar, without rows")
      }
      return nil
    }
    let rows = rows ?? 0..<rowCount
    guard rows.lowerBound >= 0, rows.upperBound <= rowCount else {
      throw FileError(
        .missing, path: path, item: dataset.name,
        problem: "has \(rowCount) rows, but rows \(rows) are requested")
    }
    return rows
  }
}

/// A value attached to a group or dataset.
public struct HDF5Attribute: Sendable, CustomStringConvertible {
  /// What the value consists of.
  public enum Values: Sendable {
    /// Texts; damaged UTF-8 has replacement characters.
    case texts([String])
    /// Integers and booleans.
    case integers([Int])
    /// Floating-point numbers.
    case numbers([Double])
    /// Something that is not read, such as a compound or a long array; a word that says what.
    case other(String)
  }

  /// The size of each dimension; empty for a single value.
  public let shape: [Int]
  /// The values in row-major order.
  public let values: Values

  /// The only text of an attribute that is one; nil otherwise.
  public var text: String? {
    guard case .texts(let texts) = values, texts.count == 1 else { return nil }
    return texts[0]
  }

  /// The only integer of an attribute that is one; nil otherwise.
  public var integer: Int? {
    guard case .integers(let integers) = values, integers.count == 1 else { return nil }
    return integers[0]
  }

  /// The values as text: one by itself, several in brackets.
  public var description: String {
    func joined(_ values: [some CustomStringConvertible]) -> String {
      let text = values.map(\.description).joined(separator: ", ")
      return shape.isEmpty ? text : "[\(text)]"
    }
    switch values {
    case .texts(let texts): return joined(texts)
    case .integers(let integers): return joined(integers)
    case .numbers(let numbers): return joined(numbers)
    case .other(let what): return shape.isEmpty ? what : "\(what) \(shape)"
    }
  }
}

extension HDF5File {
  /// Reads a dataset of texts, of fixed or variable length, in row-major order. What fills a text
  /// up to a fixed length is left out; damaged UTF-8 has replacement characters.
  ///
  /// - Throws: `FileError` if there is no such dataset, it has no texts or cannot be read.
  public func texts(of name: String) throws(FileError) -> [String] {
    let elements = try elements(of: name, expected: "texts", advice: "name a dataset of strings") {
      $0.isText
    }
    return elements.map(\.text)
  }

  /// Reads a dataset whose elements are any number of bytes each, such as files, in row-major order.
  ///
  /// - Throws: `FileError` if there is no such dataset, it has no bytes or cannot be read.
  public func byteArrays(of name: String) throws(FileError) -> [[UInt8]] {
    let elements = try elements(
      of: name, expected: "elements of any number of bytes",
      advice: "name a dataset of variable-length uint8"
    ) { $0.hasByteArrays }
    return elements.map { bytes in bytes.withUnsafeBytes { Array($0) } }
  }

  private func elements(
    of name: String, expected: String, advice: String, _ isExpected: (HDF5Dataset) -> Bool
  ) throws(FileError) -> [Bytes] {
    guard let dataset = dataset(named: name) else { throw absent(name) }
    guard isExpected(dataset), dataset.problem == nil else {
      throw FileError(
        .unsupported, path: path, item: name,
        problem: dataset.problem ?? "is \(dataset.typeName), where \(expected) are expected",
        advice: dataset.problem == nil ? advice : HDF5File.storageAdvice)
    }
    let fileByteCount = try MappedFile.bytes(path: path).count
    let capacity = HDF5File.recordCapacity(fileByteCount: fileByteCount)
    let memory = try HDF5File.share(capacity, path: path, item: name)
    let limits = limits ?? .listing(fileByteCount: fileByteCount)
    let result = attune_hdf5_read_texts(path, dataset.name, limits.bridged, memory.bridged)
    try HDF5File.check(result, path: path, item: name)
    let records = memory.bytes(count: min(Int(clamping: result.byte_count), memory.count))
    var cursor = ByteCursor(records, path: path, part: name)
    var elements: [Bytes] = []
    while cursor.remainingCount > 0 { elements.append(try cursor.listedBytes()) }
    guard elements.count == Checked.elementCount(dataset.shape) else {
      throw FileError(
        .malformed, path: path, item: name, problem: "changed while it was read",
        advice: "read it again")
    }
    return elements
  }
}
