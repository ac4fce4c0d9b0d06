import Files

/// Reads `metrics.jsonl` back, for reports and charts.
public struct MetricsReader: Sendable {
  /// All records, in the order of the file.
  public let records: [MetricsRecord]
  /// Where each record ends in the file, in bytes.
  let ends: [Int]

  /// Reads a file; a last line that was cut short is left out.
  ///
  /// - Throws: `FileError` if the file cannot be read or a line in its midst is damaged.
  public init(path: String) throws(FileError) {
    // Not as text, whose byte order mark would be left out: records are found by their bytes.
    let bytes = try BinaryFile.read(path: path)
    var records: [MetricsRecord] = []
    var ends: [Int] = []
    var start = 0
    while let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
      guard let record = MetricsRecord(line: bytes[start..<end]) else {
        // After a power failure the last line may be whole and yet not what was written.
        if end == bytes.count - 1 { break }
        throw FileError(
          .malformed, path: path, item: "line \(ends.count + 1)",
          problem: "is not a JSON object with iteration, step and numbers",
          advice: "remove the line")
      }
      records.append(record)
      start = end + 1
      ends.append(start)
    }
    self.records = records
    self.ends = ends
  }

  /// Reads what can be read of a file, line by line, for a look at a run that was damaged.
  ///
  /// - Returns: the whole records, and the numbers of the lines that are none, counted from one; a
  ///   last line without its end counts as damaged.
  /// - Throws: `FileError` if the file cannot be read at all.
  public static func salvage(
    path: String
  ) throws(FileError) -> (records: [MetricsRecord], damagedLines: [Int]) {
    let lines = try BinaryFile.read(path: path)
      .split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    var records: [MetricsRecord] = []
    var damagedLines: [Int] = []
    // What follows the last line's end is empty, unless that line was cut.
    for (index, line) in lines.enumerated() where index < lines.count - 1 || !line.isEmpty {
      if index < lines.count - 1, let record = MetricsRecord(line: line) {
        records.append(record)
      } else {
        damagedLines.append(index + 1)
      }
    }
    return (records, damagedLines)
  }

  /// The names of all metrics, sorted.
  public var names: [String] {
    records.reduce(into: Set<String>()) { $0.formUnion($1.values.keys) }.sorted()
  }

  /// The steps at which a metric was recorded, and its values; numbers that were not finite are
  /// NaN.
  public func curve(of name: String) -> (steps: [Int], values: [Double]) {
    let points = records.compactMap { record in record[name].map { (record.step, $0) } }
    return (points.map(\.0), points.map(\.1))
  }
}
