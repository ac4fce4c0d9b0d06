import Configuration
import Files
import Foundation
import Glibc
import Runs

/// All of a run folder that a report shows, and what of it could not be read.
struct RunContents {
  let path: RunPath
  /// The text of `config.yaml`; nil if it cannot be read.
  let settingsText: String?
  let settings: SettingsOutline?
  let kind: RunKind
  /// The times that settings were changed as the run was resumed, in order.
  let resumptions: [RunRecord.Resumption]
  /// What computed it; nil where its record does not tell.
  let computing: RunRecord.Computing?
  let recordCount: Int
  /// The last record's iteration and step.
  let last: (iteration: Int, step: Int)?
  /// Whether steps are counted apart from iterations.
  let hasOwnSteps: Bool
  let curves: [MetricCurve]
  let images: MediaFolder
  let videos: MediaFolder
  let history: RunHistory
  /// Problems, a line each.
  let notes: [String]

  /// - Throws: `RunFolderError.notARun`.
  init(run: String, limits: ReportLimits) throws(RunFolderError) {
    path = RunPath(run)
    try path.check()
    var notes: [String] = []

    var text: String?
    var settings: SettingsOutline?
    let file = path("config.yaml")
    do {
      let read = try TextFile.read(path: file)
      text = read
      settings = try SettingsOutline(yaml: read, file: file)
    } catch {
      notes.append("\(error)")
    }
    (settingsText, self.settings) = (text, settings)
    var record: RunRecord?
    do {
      record = try RunRecord.read(in: run)
    } catch {
      notes.append("\(error)")
    }
    kind = RunKind(record, settings)
    resumptions = record?.resumptions ?? []
    computing = record?.computing

    var records: [MetricsRecord] = []
    do {
      let metrics = try RunMetrics(run: run)
      records = metrics.records
      notes += metrics.notes
    } catch {
      notes.append("\(error)")
    }
    recordCount = records.count
    last = records.last.map { ($0.iteration, $0.step) }
    hasOwnSteps = records.contains { $0.iteration != $0.step }
    curves = MetricCurve.all(of: records)

    var room = limits.totalByteCount
    images = MediaFolder(path("images"), kind: .image, limits: limits, room: &room)
    videos = MediaFolder(path("videos"), kind: .video, limits: limits, room: &room)
    history = RunHistory(path)
    self.notes = notes + images.notes + videos.notes
  }

  /// How many iterations were asked for; nil if the settings do not say.
  var iterations: Int? { settings.flatMap(kind.iterations) }

  /// The metrics by which the run is evaluated, the most telling first.
  var headlines: [MetricCurve] {
    let ranked = curves.compactMap { curve -> (rank: Int, curve: MetricCurve)? in
      guard !curve.finitePoints.isEmpty else { return nil }
      return curve.name.headlineRank(hasError: curve.hasErrors).map { ($0, curve) }
    }
    return ranked.sorted { ($0.rank, $0.curve.name.key) < ($1.rank, $1.curve.name.key) }
      .prefix(8).map(\.curve)
  }
}

/// The path of a run folder and of what is in it.
struct RunPath: Sendable {
  /// Without a slash at its end.
  let path: String

  init(_ path: String) {
    var path = path
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    self.path = path
  }

  /// The folder's name, also where the path does not say it, as `.` does not.
  var name: String {
    guard let last = path.split(separator: "/").last, last != ".", last != ".." else {
      guard let real = realpath(path, nil) else { return path }
      defer { free(real) }
      return String(cString: real).split(separator: "/").last.map(String.init) ?? path
    }
    return String(last)
  }

  func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }

  /// Whether it looks like a run: with settings, or with metrics where those were lost.
  ///
  /// - Throws: `RunFolderError.notARun`.
  func check() throws(RunFolderError) {
    let names = FolderListing.names(in: path)
    guard names.contains("config.yaml") || names.contains("metrics.jsonl") else {
      throw .notARun(path: path)
    }
  }
}

/// When a run was started and gone on with, and where its time went.
struct RunHistory {
  /// The starts, in order; each process of a run begins an event file.
  let starts: [Date]
  /// When metrics were last written.
  let lastWritten: Date?
  /// Where the time went until the newest checkpoint that tells; nil if none does.
  let times: TimeBreakdown?
  /// The iterations until then.
  let timedIterationCount: Int
  /// The iterations that have a checkpoint.
  let checkpoints: [Int]

  init(_ run: RunPath) {
    starts = FolderListing.names(in: run.path).compactMap { name in
      name.firstMatch(of: #/^events\.out\.tfevents\.(\d{9,11})\./#)
        .flatMap { Double($0.output.1) }.map(Date.init(timeIntervalSince1970:))
    }.sorted()
    let attributes = try? FileManager.default.attributesOfItem(atPath: run("metrics.jsonl"))
    lastWritten = attributes?[.modificationDate] as? Date
    let folder = CheckpointFolder(path: run("checkpoints"))
    checkpoints = folder.iterations
    // A damaged one is passed over; the one before it tells nearly the same.
    let summary = checkpoints.reversed().lazy
      .compactMap { try? CheckpointSummary(path: folder.path(ofIteration: $0)) }
      .first { $0.times != nil }
    times = summary?.times
    timedIterationCount = summary?.iteration ?? 0
  }
}

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
