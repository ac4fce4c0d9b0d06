/// Arranges a chart: margins, axes, legend, curves.
struct ChartLayout {
  private(set) var scene: ChartScene

  private let chart: LineChart
  private let xAxis: ChartAxis
  private let yAxis: ChartAxis

  private static let padding = 16.0
  private static let tickSize = 12.0
  private static let labelSize = 13.0
  private static let titleSize = 16.0
  static let titleColor = Color(0x111827)
  static let textColor = Color(0x4B5563)
  static let axisColor = Color(0x9CA3AF)
  static let gridColor = Color(0xE5E7EB)
  static let fineGridColor = Color(0xF3F4F6)

  init(_ chart: LineChart, width: Double, height: Double) {
    self.chart = chart
    scene = ChartScene(width: width, height: height)
    xAxis = ChartAxis(
      scale: chart.xScale, values: chart.series.lazy.flatMap { $0.x }, range: chart.xRange,
      margin: 0)
    yAxis = ChartAxis(
      scale: chart.yScale, values: chart.series.lazy.flatMap(\.extent), range: chart.yRange,
      margin: 0.05)

    // 1. From the top down to the plot, then the margins around it.
    var top = ChartLayout.padding
    if let title = chart.title { addTitle(title, top: &top) }
    let legend = ChartLegend(chart.series, width: width - 2 * ChartLayout.padding)
    let legendTop = top
    top += legend.height
    let bottom =
      height - ChartLayout.padding - 20 - (chart.xLabel == nil ? 0 : ChartLayout.labelSize + 8)
    let plotTop = min(top + 6, bottom - 20)
    let yTicks = yAxis.ticks(
      count: ChartLayout.tickCount(length: bottom - plotTop, distances: 32...48))
    let tickWidth = yTicks.map { ChartLayout.width($0.label, ChartLayout.tickSize) }.max() ?? 0
    let labelWidth = chart.yLabel == nil ? 0 : ChartLayout.labelSize + 10
    scene.plot = ChartArea(
      left: min(ChartLayout.padding + labelWidth + tickWidth + 8, width / 2), top: plotTop,
      right: width - ChartLayout.padding - 8, bottom: bottom)

    // 2. What lies behind the data, then the data.
    scene.shapes += legend.shapes(left: ChartLayout.padding, top: legendTop)
    let xCount = ChartLayout.tickCount(length: scene.plot.width, distances: 56...90)
    addGrid(xTicks: xAxis.ticks(count: xCount), yTicks: yTicks)
    addLabels()
    for (index, series) in chart.series.enumerated() { addBand(series, index: index) }
    for (index, series) in chart.series.enumerated() { addCurve(series, index: index) }
    if scene.plotShapes.isEmpty { addNotice("no data") }
  }

  /// Where the data lies.
  var placement: ChartPlacement {
    ChartPlacement(
      left: scene.plot.left, top: scene.plot.top, right: scene.plot.right,
      bottom: scene.plot.bottom, xRange: xAxis.lower...xAxis.upper,
      yRange: yAxis.lower...yAxis.upper)
  }

  /// Ticks stand closer on short axes, which would have one or two only.
  private static func tickCount(length: Double, distances: ClosedRange<Double>) -> Int {
    Int(length / max(distances.lowerBound, min(distances.upperBound, length / 5)))
  }

  static func width(_ text: String, _ size: Double) -> Double {
    StrokeFont.standard.width(of: text, size: size)
  }

  /// The text, or as much of it as fits with an ellipsis.
  static func fitted(_ text: String, size: Double, width limit: Double) -> String {
    if width(text, size) <= limit { return text }
    var kept = Substring(text)
    while !kept.isEmpty && width("\(kept)...", size) > limit { kept.removeLast() }
    return "\(kept)..."
  }

  private mutating func addTitle(_ title: String, top: inout Double) {
    let size = ChartLayout.titleSize
    let text = ChartLayout.fitted(title, size: size, width: scene.width - 2 * ChartLayout.padding)
    scene.shapes.append(
      .text(
        ChartScene.Text(
          string: text, position: ChartPoint(x: ChartLayout.padding, y: top + size * 0.75),
          size: size, color: ChartLayout.titleColor, isBold: true)))
    top += size + 8
  }

  private mutating func addGrid(xTicks: [ChartAxis.Tick], yTicks: [ChartAxis.Tick]) {
    let plot = scene.plot
    var lines: [ChartScene.Shape] = []
    func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ color: Color) {
      lines.append(
        .line(
          [ChartPoint(x: x1, y: y1), ChartPoint(x: x2, y: y2)], color: color, width: 1, dashes: []))
    }
    // Fine lines first, so that they do not cut the others.
    for isFine in [true, false] {
      let color = isFine ? ChartLayout.fineGridColor : ChartLayout.gridColor
      for tick in xTicks where tick.label.isEmpty == isFine {
        let x = self.x(tick.value)
        line(x, plot.top, x, plot.bottom, color)
      }
      for tick in yTicks where tick.label.isEmpty == isFine {
        let y = self.y(tick.value)
        line(plot.left, y, plot.right, y, color)
      }
    }
    for tick in xTicks where !tick.label.isEmpty {
      let x = self.x(tick.value)
      line(x, plot.bottom, x, plot.bottom + 4, ChartLayout.axisColor)
      addTickLabel(tick.label, x: x, y: plot.bottom + 18, anchor: .middle)
    }
    for tick in yTicks where !tick.label.isEmpty {
      let y = self.y(tick.value)
      addTickLabel(tick.label, x: plot.left - 8, y: y + ChartLayout.tickSize * 0.35, anchor: .end)
    }
    line(plot.left, plot.bottom, plot.right, plot.bottom, ChartLayout.axisColor)
    scene.shapes += lines
  }

  private mutating func addTickLabel(
    _ text: String, x: Double, y: Double, anchor: ChartScene.Anchor
  ) {
    scene.shapes.append(
      .text(
        ChartScene.Text(
          string: text, position: ChartPoint(x: x, y: y), size: ChartLayout.tickSize,
          color: ChartLayout.textColor, anchor: anchor)))
  }

  private mutating func addLabels() {
    let plot = scene.plot
    func label(_ text: String, _ x: Double, _ y: Double, length: Double, isVertical: Bool) {
      scene.shapes.append(
        .text(
          ChartScene.Text(
            string: ChartLayout.fitted(text, size: ChartLayout.labelSize, width: length),
            position: ChartPoint(x: x, y: y), size: ChartLayout.labelSize,
            color: ChartLayout.textColor, anchor: .middle, isVertical: isVertical)))
    }
    if let text = chart.xLabel {
      label(
        text, (plot.left + plot.right) / 2, scene.height - ChartLayout.padding + 2,
        length: plot.width, isVertical: false)
    }
    if let text = chart.yLabel {
      label(
        text, ChartLayout.padding + ChartLayout.labelSize * 0.6, (plot.top + plot.bottom) / 2,
        length: plot.height + 20, isVertical: true)
    }
  }

  private mutating func addNotice(_ text: String) {
    let plot = scene.plot
    scene.plotShapes.append(
      .text(
        ChartScene.Text(
          string: text,
          position: ChartPoint(x: (plot.left + plot.right) / 2, y: (plot.top + plot.bottom) / 2),
          size: ChartLayout.labelSize, color: ChartLayout.axisColor, anchor: .middle)))
  }

  private func x(_ value: Double) -> Double {
    scene.plot.left + ChartLayout.bounded(xAxis.position(value)) * scene.plot.width
  }

  private func y(_ value: Double) -> Double {
    scene.plot.bottom - ChartLayout.bounded(yAxis.position(value)) * scene.plot.height
  }

  /// Keeps points far outside a given range at numbers that can be drawn and cut off.
  private static func bounded(_ position: Double) -> Double { max(-1_000, min(1_000, position)) }

  private mutating func addCurve(_ series: LineChart.Series, index: Int) {
    let points = series.x.indices.map { index -> ChartPoint? in
      guard ChartAxis.isDrawable(series.x[index], scale: xAxis.scale),
        ChartAxis.isDrawable(series.y[index], scale: yAxis.scale)
      else { return nil }
      return ChartPoint(x: x(series.x[index]), y: y(series.y[index]))
    }
    let style = series.style(index: index)
    for run in points.split(separator: nil).map({ $0.compactMap(\.self) }) {
      scene.plotShapes.append(
        run.count == 1
          ? .dot(run[0], radius: 2.5, color: style.color)
          : .line(CurveThinning.thinned(run), color: style.color, width: 2, dashes: style.dashes))
    }
  }

  private mutating func addBand(_ series: LineChart.Series, index: Int) {
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
        thinned.map { ChartPoint(x: $0.x, y: $0.top) }
        + thinned.reversed().map { ChartPoint(x: $0.x, y: $0.bottom) }
      scene.plotShapes.append(
        .area(outline, color: series.style(index: index).color, opacity: 0.18))
    }
  }
}

extension LineChart.Series {
  /// The values that the vertical axis has to show.
  fileprivate var extent: [Double] {
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
