import Files
import Foundation
import Glibc

/// The numbers of one line of `metrics.jsonl`.
///
/// Times do not belong here: a resumed run's metrics must equal those of a run that never stopped.
public struct MetricsRecord: Sendable, Equatable {
  /// The training iteration.
  public var iteration: Int
  /// The environment or gradient steps so far.
  public var step: Int
  /// The numbers by name, in camel case; one that is not finite is written as null.
  public var values: [String: Double]

  /// Makes a record; names must be in camel case and must not be `iteration` or `step`.
  public init(iteration: Int, step: Int, values: [String: Double] = [:]) {
    self.iteration = iteration
    self.step = step
    self.values = values
  }

  /// The number of that name; assigning nil removes it.
  public subscript(name: String) -> Double? {
    get { values[name] }
    set { values[name] = newValue }
  }

  /// The JSON object, its keys sorted after `iteration` and `step`.
  var line: String {
    var members = ["\"iteration\": \(iteration)", "\"step\": \(step)"]
    for (name, value) in values.sorted(by: { $0.key < $1.key }) {
      precondition(
        Self.isCamelCase(name) && name != "iteration" && name != "step",
        "'\(name)' is not a name for a metric: write camelCase")
      members.append("\"\(name)\": \(value.isFinite ? value.description : "null")")
    }
    return "{\(members.joined(separator: ", "))}\n"
  }

  /// Parses a line; nil if it is not a whole record.
  init?(line: some Sequence<UInt8>) {
    guard let object = try? JSONDecoder().decode([String: Double?].self, from: Data(line)),
      let iteration = object["iteration"].flatMap({ $0.flatMap { Int(exactly: $0) } }),
      let step = object["step"].flatMap({ $0.flatMap { Int(exactly: $0) } })
    else { return nil }
    self.init(iteration: iteration, step: step)
    for (name, value) in object where name != "iteration" && name != "step" {
      values[name] = value ?? .nan
    }
  }

  private static func isCamelCase(_ name: String) -> Bool {
    guard let first = name.unicodeScalars.first, ("a"..."z").contains(first) else { return false }
    return name.unicodeScalars.allSatisfy {
      ("a"..."z").contains($0) || ("A"..."Z").contains($0) || ("0"..."9").contains($0)
    }
  }
}

/// Writes `metrics.jsonl`: one JSON object a line, handed to the system line by line.
public final class MetricsWriter {
  private let file: AppendedFile

  /// Opens the file at its end, or creates it.
  ///
  /// - Parameters:
  ///   - path: the file.
  ///   - iteration: that of the checkpoint that a run is resumed from; the records of
  ///     later iterations are removed, as they will be written again. Nil for a new run.
  /// - Throws: `FileError` if the system refuses or the file is damaged.
  public init(path: String, resumingAfter iteration: Int? = nil) throws(FileError) {
    file = try AppendedFile(path: path)
    guard let iteration else { return }
    let reader = try MetricsReader(path: path)
    let kept = reader.records.prefix { $0.iteration <= iteration }.count
    try file.truncate(toByteCount: kept == 0 ? 0 : reader.ends[kept - 1])
  }

  /// Adds a line.
  ///
  /// - Throws: `FileError` if the system refuses, for instance because the disk is full.
  public func write(_ record: MetricsRecord) throws(FileError) {
    try file.append(Array(record.line.utf8))
  }

  /// Waits until the disk has everything; called before a checkpoint is written.
  ///
  /// - Throws: `FileError` if the system refuses.
  public func synchronize() throws(FileError) { try file.synchronize() }
}

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
