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
    let bytes = Array(try TextFile.read(path: path).utf8)
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

  /// The names of all metrics, sorted.
  public var names: [String] {
    records.reduce(into: Set<String>()) { $0.formUnion($1.values.keys) }.sorted()
  }

  /// The steps at which a metric was recorded, and its values; numbers that were not finite are NaN.
  public func curve(of name: String) -> (steps: [Int], values: [Double]) {
    let points = records.compactMap { record in record[name].map { (record.step, $0) } }
    return (points.map(\.0), points.map(\.1))
  }
}
