/// The values of one column, for rows that follow one another.
///
/// A row has no value where it is null or an empty list, one in a plain column, and any number in a
/// column of lists; lists within lists are flattened.
public struct ParquetValues: Sendable {
  /// The name of the column.
  public let column: String
  /// How many rows there are.
  public let rowCount: Int
  /// All numbers, `[N]`, row after row; nil in a column of texts or other bytes.
  public let numbers: StoredTensor?

  /// All byte arrays, row after row.
  private let byteArrays: [Bytes]
  /// Where each row's values begin, and where the last ends; nil where each row has one.
  private let starts: [Int]?

  init(column: String, rowCount: Int, starts: [Int]?, numbers: StoredTensor) {
    (self.column, self.rowCount, self.starts) = (column, rowCount, starts)
    (self.numbers, byteArrays) = (numbers, [])
  }

  init(column: String, rowCount: Int, starts: [Int]?, byteArrays: [Bytes]) {
    (self.column, self.rowCount, self.starts) = (column, rowCount, starts)
    (numbers, self.byteArrays) = (nil, byteArrays)
  }

  /// The places of some rows' values among all values.
  ///
  /// - Parameter rows: within `0..<rowCount`.
  public func valueRange(rows: Range<Int>) -> Range<Int> {
    precondition(
      rows.lowerBound >= 0 && rows.upperBound <= rowCount, "rows \(rows) of \(rowCount)")
    guard let starts else { return rows }
    return starts[rows.lowerBound]..<starts[rows.upperBound]
  }

  /// How many values a row has.
  public func valueCount(row: Int) -> Int { valueRange(rows: row..<(row + 1)).count }

  /// The numbers of some rows, `[rows] + shape`; nil if one of them has not as many as `shape` says,
  /// or the column has no numbers.
  ///
  /// - Parameters:
  ///   - rows: within `0..<rowCount`.
  ///   - shape: the shape of a row; empty for a single number.
  public func tensor(rows: Range<Int>, shape: [Int]) -> StoredTensor? {
    guard let numbers, let size = Checked.elementCount(shape) else { return nil }
    guard rows.allSatisfy({ valueCount(row: $0) == size }) else { return nil }
    let range = valueRange(rows: rows)
    let byteCount = numbers.elementType.byteCount
    return StoredTensor(
      numbers.elementType, shape: [rows.count] + shape,
      bytes: numbers.bytes[(range.lowerBound * byteCount)..<(range.upperBound * byteCount)])
  }

  /// The byte arrays of a row; none in a column of numbers.
  public func byteArrays(row: Int) -> [[UInt8]] {
    guard numbers == nil else { return [] }
    return byteArrays[valueRange(rows: row..<(row + 1))].map { $0.withUnsafeBytes { Array($0) } }
  }

  /// The texts of a row, with replacement characters where they are not UTF-8; none in a column of
  /// numbers.
  public func texts(row: Int) -> [String] {
    guard numbers == nil else { return [] }
    return byteArrays[valueRange(rows: row..<(row + 1))].map(\.text)
  }

  /// The memory that the values take, near enough to decide what to keep.
  public var byteCount: Int {
    (numbers?.byteCount ?? byteArrays.reduce(0) { $0 + $1.count + MemoryLayout<Bytes>.stride })
      + (starts?.count ?? 0) * MemoryLayout<Int>.stride
  }
}
