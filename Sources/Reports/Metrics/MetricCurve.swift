import Media
import Runs

/// The values of one metric over a run.
struct MetricCurve {
  /// A recorded value.
  struct Point {
    var iteration: Int, step: Int
    /// Not a number where the run wrote null.
    var value: Double
    var error: Double?
  }

  let name: MetricName
  let points: [Point]

  var hasErrors: Bool { points.contains { $0.error != nil } }

  var finitePoints: [Point] { points.filter(\.value.isFinite) }

  /// The point with the best value; nil where no way is better.
  var best: Point? {
    switch name.direction {
    case .up: finitePoints.max { $0.value < $1.value }
    case .down: finitePoints.min { $0.value < $1.value }
    case .none: nil
    }
  }

  /// The value that never changed; nil if it did, or was recorded once only.
  var constant: Double? {
    guard points.count > 1, let first = points.first?.value, first.isFinite else { return nil }
    return points.allSatisfy { $0.value == first } ? first : nil
  }
}

extension MetricCurve {
  /// All metrics of a run, sorted by name; standard errors go with the metrics that they belong to.
  static func all(of records: [MetricsRecord]) -> [MetricCurve] {
    let keys = records.reduce(into: Set<String>()) { $0.formUnion($1.values.keys) }
    var errorKeys: [String: String] = [:]
    for key in keys {
      if let owner = MetricName(key: key).owner(among: keys) { errorKeys[owner] = key }
    }
    let ownErrors = Set(errorKeys.values)
    return keys.subtracting(ownErrors).sorted().map { key in
      MetricCurve(name: MetricName(key: key), errorKey: errorKeys[key], records: records)
    }
  }

  init(name: MetricName, errorKey: String?, records: [MetricsRecord]) {
    self.name = name
    points = records.compactMap { record in
      record[name.key].map { value in
        let error = errorKey.flatMap { record[$0] }.flatMap { $0.isFinite ? $0 : nil }
        return Point(
          iteration: record.iteration, step: record.step, value: value, error: error)
      }
    }
  }

  /// A few of the points where there are too many to look at: of each group the first, the least
  /// and the greatest.
  func thinned(toAbout count: Int) -> [Point] {
    guard points.count > count else { return points }
    let groupSize = (points.count * 3 + count - 1) / count
    var kept: [Int] = []
    for start in stride(from: 0, to: points.count, by: groupSize) {
      let group = start..<min(start + groupSize, points.count)
      let finite = group.filter { points[$0].value.isFinite }
      let minimum = finite.min { points[$0].value < points[$1].value }
      let maximum = finite.max { points[$0].value < points[$1].value }
      kept += Set([start, minimum, maximum].compactMap(\.self)).sorted()
    }
    if kept.last != points.count - 1 { kept.append(points.count - 1) }
    return kept.map { points[$0] }
  }
}

extension MetricCurve {
  /// The curve as a chart draws it.
  func series(axis: ChartAxisKind, name: String, color: Color? = nil) -> LineChart.Series {
    LineChart.Series(
      name: name, x: points.map { $0.x(axis) }, y: points.map(\.value),
      spread: hasErrors ? points.map { $0.error ?? 0 } : [], color: color)
  }
}

/// What a chart's horizontal axis counts.
public enum ChartAxisKind: String, Sendable, CaseIterable {
  /// Training iterations or batches.
  case iteration
  /// Environment or gradient steps.
  case step
}

extension MetricCurve.Point {
  func x(_ axis: ChartAxisKind) -> Double { Double(axis == .iteration ? iteration : step) }
}
