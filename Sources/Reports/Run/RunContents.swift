import Configuration
import Files
import Runs

/// All of a run folder that a report shows, and what of it could not be read.
struct RunContents {
  let path: RunPath
  /// The text of `config.yaml`; nil if it cannot be read.
  let settingsText: String?
  let settings: SettingsOutline?
  let kind: RunKind
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
