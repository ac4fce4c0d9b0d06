import Files
import Glibc

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
