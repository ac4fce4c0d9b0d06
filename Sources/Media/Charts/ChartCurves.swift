extension ChartLayout {
  mutating func addCurve(_ series: LineChart.Series, index: Int) {
    let points = series.x.indices.map { index -> DrawingPoint? in
      guard ChartAxis.isDrawable(series.x[index], scale: xAxis.scale),
        ChartAxis.isDrawable(series.y[index], scale: yAxis.scale)
      else { return nil }
      return DrawingPoint(x: x(series.x[index]), y: y(series.y[index]))
    }
    let style = series.style(index: index)
    for run in points.split(separator: nil).map({ $0.compactMap(\.self) }) {
      scene.plotShapes.append(
        run.count == 1
          ? .dot(run[0], radius: 2.5, color: style.color)
          : .line(CurveThinning.thinned(run), color: style.color, width: 2, dashes: style.dashes))
    }
  }

  mutating func addBand(_ series: LineChart.Series, index: Int) {
    guard !series.spread.isEmpty else { return }
    let slices = series.x.indices.map { index -> CurveThinning.Slice? in
      let (value, spread) = (series.y[index], abs(series.spread[index]))
      guard ChartAxis.isDrawable(series.x[index], scale: xAxis.scale),
        ChartAxis.isDrawable(value, scale: yAxis.scale),
        ChartAxis.isDrawable(value + spread, scale: yAxis.scale)
      else { return nil }
      // On a logarithmic axis a band that reaches zero reaches the bottom.
      let hasFoot = ChartAxis.isDrawable(value - spread, scale: yAxis.scale)
      return CurveThinning.Slice(
        x: x(series.x[index]), top: y(value + spread),
        bottom: hasFoot ? y(value - spread) : scene.plot.bottom)
    }
    for run in slices.split(separator: nil).map({ $0.compactMap(\.self) }) where run.count > 1 {
      let thinned = CurveThinning.thinned(run)
      let outline =
        thinned.map { DrawingPoint(x: $0.x, y: $0.top) }
        + thinned.reversed().map { DrawingPoint(x: $0.x, y: $0.bottom) }
      scene.plotShapes.append(
        .area(outline, color: series.style(index: index).color, opacity: 0.18))
    }
  }
}

extension LineChart.Series {
  /// The values that the vertical axis has to show.
  var extent: [Double] {
    spread.isEmpty
      ? y : y + zip(y, spread).flatMap { [$0.0 - abs($0.1), $0.0 + abs($0.1)] }
  }

  /// The color, and dashes once all colors are used.
  func style(index: Int) -> (color: Color, dashes: [Double]) {
    let palette = LineChart.colors
    let dashes: [Double] = [[], [7, 5], [2, 4]][index / palette.count % 3]
    return (color ?? palette[index % palette.count], color == nil ? dashes : [])
  }
}

/// Leaves out points that no one could see: hundreds of thousands of them make files slow to open.
enum CurveThinning {
  /// A vertical section of a band.
  struct Slice: Equatable {
    var x: Double, top: Double, bottom: Double
  }

  /// Points closer than this share a column.
  private static let columnWidth = 0.5

  private static func column(_ x: Double) -> Double { (x / columnWidth).rounded(.down) }

  /// Of the points in each column the first, highest, lowest and last, in their order.
  static func thinned(_ points: [DrawingPoint]) -> [DrawingPoint] {
    columns(points, \.x).flatMap { run -> [DrawingPoint] in
      guard run.count > 4 else { return Array(run) }
      var kept = [run.startIndex, run.endIndex - 1]
      if let lowest = run.indices.max(by: { run[$0].y < run[$1].y }) { kept.append(lowest) }
      if let highest = run.indices.min(by: { run[$0].y < run[$1].y }) { kept.append(highest) }
      return Set(kept).sorted().map { run[$0] }
    }
  }

  /// One slice for each column, which covers all in it.
  static func thinned(_ slices: [Slice]) -> [Slice] {
    columns(slices, \.x).flatMap { run -> [Slice] in
      guard run.count > 4, let first = run.first, let last = run.last else { return Array(run) }
      let top = run.reduce(first.top) { min($0, $1.top) }
      let bottom = run.reduce(first.bottom) { max($0, $1.bottom) }
      return [
        Slice(x: first.x, top: top, bottom: bottom), Slice(x: last.x, top: top, bottom: bottom),
      ]
    }
  }

  /// Runs of consecutive elements in the same column.
  private static func columns<Element>(
    _ elements: [Element], _ x: (Element) -> Double
  ) -> [ArraySlice<Element>] {
    var runs: [ArraySlice<Element>] = []
    var start = 0
    for index in elements.indices.dropFirst() + [elements.count]
    where index == elements.count || column(x(elements[index])) != column(x(elements[start])) {
      runs.append(elements[start..<index])
      start = index
    }
    return runs
  }
}
