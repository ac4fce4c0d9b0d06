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
