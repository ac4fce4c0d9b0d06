import Files
import Media
import Runs

/// Curves of several runs in one image: seeds, ablations.
public struct ComparisonChart: Sendable {
  /// A run and the name of its curves.
  public struct Source: Sendable {
    /// The run folder.
    public var path: String
    /// The text in the legend; the folder's name if nil.
    public var label: String?

    /// Names a run folder.
    public init(path: String, label: String? = nil) {
      self.path = path
      self.label = label
    }
  }

  /// The chart; bands are standard errors where the metrics have them.
  public let chart: LineChart
  /// What could not be read, a line each.
  public let notes: [String]

  /// Draws the curve of each metric of each run.
  ///
  /// - Parameters:
  ///   - sources: the runs.
  ///   - metrics: the names of the metrics.
  ///   - axis: what the horizontal axis counts.
  ///   - title: the line above the chart.
  /// - Throws: `RunFolderError` for a folder that is no run, `FileError` for one without metrics
  ///   that can be read, `MissingMetricError` for a metric that a run does not have.
  public init(
    _ sources: [Source], metrics: [String], axis: ChartAxisKind = .iteration, title: String? = nil
  ) throws {
    var series: [LineChart.Series] = []
    var notes: [String] = []
    for source in sources {
      let run = try RunMetrics(run: source.path)
      notes += run.notes
      let label = source.label ?? RunPath(source.path).name
      for metric in metrics {
        let curve = try run.curve(of: metric)
        let prefix = sources.count > 1 || source.label != nil ? label : ""
        let suffix = metrics.count > 1 ? MetricName(key: metric).words : ""
        series.append(
          curve.series(
            axis: axis,
            name: [prefix, suffix].filter { !$0.isEmpty }.joined(separator: ", ")))
      }
    }
    self.notes = notes
    chart = LineChart(
      series, title: title, xLabel: axis.rawValue,
      yLabel: metrics.count == 1 ? metrics.first.map { MetricName(key: $0).words } : nil)
  }
}

/// A metric was asked for that a run does not have.
public struct MissingMetricError: Error, Sendable, CustomStringConvertible {
  /// The metrics file.
  let path: String
  /// What was asked for.
  let key: String
  /// What there is.
  let known: [String]

  /// One line with the nearest name, or all names.
  public var description: String {
    let start = "\(path.printable): has no metric '\(key.printable)'"
    if known.isEmpty { return "\(start); the run has not written any yet" }
    if let nearest = nearest { return "\(start); did you mean '\(nearest.printable)'?" }
    return "\(start); choose from \(known.map(\.printable).joined(separator: ", "))"
  }

  /// A slip of the pen, or a name that contains what was asked for.
  private var nearest: String? {
    key.nearest(among: known)
      ?? known.first { !key.isEmpty && $0.lowercased().contains(key.lowercased()) }
  }
}
