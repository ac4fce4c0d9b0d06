import Media

extension MetricCurve {
  /// The curve as a chart draws it.
  func series(axis: ChartAxisKind, name: String, color: Color? = nil) -> LineChart.Series {
    LineChart.Series(
      name: name, x: points.map { $0.x(axis) }, y: points.map(\.value),
      spread: hasErrors ? points.map { $0.error ?? 0 } : [], color: color)
  }
}
