import Files
import Runs

/// The metrics of a run, as far as they can be read.
struct RunMetrics {
  let path: String
  let records: [MetricsRecord]
  /// What could not be read, a line each.
  let notes: [String]

  /// - Throws: `RunFolderError` for a folder that is no run, `FileError` if there is a metrics file
  ///   that cannot be read.
  init(run: String) throws {
    let run = RunPath(run)
    try run.check()
    path = run("metrics.jsonl")
    guard FolderListing.names(in: run.path).contains("metrics.jsonl") else {
      (records, notes) = ([], [])
      return
    }
    let (records, damaged) = try MetricsReader.salvage(path: path)
    self.records = records
    let shown = damaged.prefix(5).map(\.grouped).joined(separator: ", ")
    notes =
      damaged.isEmpty
      ? []
      : [
        "\(path.printable): \(damaged.count == 1 ? "line" : "lines") \(shown)"
          + (damaged.count > 5 ? " and \((damaged.count - 5).grouped) more" : "")
          + " cannot be read and \(damaged.count == 1 ? "is" : "are") left out"
      ]
  }

  /// - Throws: `MissingMetricError`.
  func curve(of key: String) throws(MissingMetricError) -> MetricCurve {
    let curves = MetricCurve.all(of: records)
    if let curve = curves.first(where: { $0.name.key == key }) { return curve }
    // Standard errors are curves too, for those who ask for them by name.
    if records.contains(where: { $0[key] != nil }) {
      return MetricCurve(
        name: MetricName(key: key),
        points: records.compactMap { record in
          record[key].map {
            MetricCurve.Point(iteration: record.iteration, step: record.step, value: $0)
          }
        })
    }
    let known = records.reduce(into: Set<String>()) { $0.formUnion($1.values.keys) }
    throw MissingMetricError(path: path, key: key, known: known.sorted())
  }
}
