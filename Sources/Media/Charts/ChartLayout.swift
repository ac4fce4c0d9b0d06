/// Arranges a chart: margins, axes, legend, curves.
struct ChartLayout {
  var scene: ChartScene

  private let chart: LineChart
  let xAxis: ChartAxis
  let yAxis: ChartAxis

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
    Text(text, size: size).size.x
  }

  private mutating func addTitle(_ title: String, top: inout Double) {
    let size = ChartLayout.titleSize
    let text = Text.fitted(
      title, size: size, isBold: true, width: scene.width - 2 * ChartLayout.padding)
    scene.shapes.append(
      .label(
        ChartScene.Label(
          string: text, position: DrawingPoint(x: ChartLayout.padding, y: top + size * 0.75),
          size: size, color: ChartLayout.titleColor, isBold: true)))
    top += size + 8
  }

  private mutating func addGrid(xTicks: [ChartAxis.Tick], yTicks: [ChartAxis.Tick]) {
    let plot = scene.plot
    var lines: [ChartScene.Shape] = []
    func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ color: Color) {
      lines.append(
        .line(
          [DrawingPoint(x: x1, y: y1), DrawingPoint(x: x2, y: y2)], color: color, width: 1,
          dashes: []))
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
      .label(
        ChartScene.Label(
          string: text, position: DrawingPoint(x: x, y: y), size: ChartLayout.tickSize,
          color: ChartLayout.textColor, anchor: anchor)))
  }

  private mutating func addLabels() {
    let plot = scene.plot
    func label(_ text: String, _ x: Double, _ y: Double, length: Double, isVertical: Bool) {
      scene.shapes.append(
        .label(
          ChartScene.Label(
            string: Text.fitted(text, size: ChartLayout.labelSize, width: length),
            position: DrawingPoint(x: x, y: y), size: ChartLayout.labelSize,
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
      .label(
        ChartScene.Label(
          string: text,
          position: DrawingPoint(x: (plot.left + plot.right) / 2, y: (plot.top + plot.bottom) / 2),
          size: ChartLayout.labelSize, color: ChartLayout.axisColor, anchor: .middle)))
  }

  func x(_ value: Double) -> Double {
    scene.plot.left + ChartLayout.bounded(xAxis.position(value)) * scene.plot.width
  }

  func y(_ value: Double) -> Double {
    scene.plot.bottom - ChartLayout.bounded(yAxis.position(value)) * scene.plot.height
  }

  /// Keeps points far outside a given range at numbers that can be drawn and cut off.
  private static func bounded(_ position: Double) -> Double { max(-100, min(100, position)) }
}

/// The names of the curves beside samples of their lines, in as many rows as they need.
struct ChartLegend {
  private struct Item {
    var series: LineChart.Series
    var index: Int
    var name: String
    var x: Double
    var row: Int
  }

  static let textColor = Color(0x374151)
  private static let textSize = 12.0
  private static let rowHeight = 18.0
  private static let sampleWidth = 20.0

  private var items: [Item] = []
  private var rowCount = 0

  /// The height of all rows.
  var height: Double { Double(rowCount) * ChartLegend.rowHeight }

  init(_ series: [LineChart.Series], width: Double) {
    var (x, row) = (0.0, 0)
    let textStart = ChartLegend.sampleWidth + 6
    for (index, series) in series.enumerated() where !series.name.isEmpty {
      let name = Text.fitted(
        series.name, size: ChartLegend.textSize, width: width - textStart)
      let itemWidth = textStart + ChartLayout.width(name, ChartLegend.textSize)
      if x > 0 && x + itemWidth > width { (x, row) = (0, row + 1) }
      items.append(Item(series: series, index: index, name: name, x: x, row: row))
      x += itemWidth + 24
      rowCount = row + 1
    }
  }

  func shapes(left: Double, top: Double) -> [ChartScene.Shape] {
    items.flatMap { item -> [ChartScene.Shape] in
      let style = item.series.style(index: item.index)
      let x = left + item.x
      let y = top + (Double(item.row) + 0.5) * ChartLegend.rowHeight - 1
      let end = x + ChartLegend.sampleWidth
      let corners = [(x, y - 5), (end, y - 5), (end, y + 5), (x, y + 5)]
      let band = ChartScene.Shape.area(
        corners.map { DrawingPoint(x: $0.0, y: $0.1) }, color: style.color, opacity: 0.18)
      let line = ChartScene.Shape.line(
        [DrawingPoint(x: x + 1, y: y), DrawingPoint(x: end - 1, y: y)], color: style.color,
        width: 2,
        dashes: style.dashes)
      let text = ChartScene.Shape.label(
        ChartScene.Label(
          string: item.name,
          position: DrawingPoint(x: end + 6, y: y + ChartLegend.textSize * 0.35),
          size: ChartLegend.textSize, color: ChartLegend.textColor))
      return (item.series.spread.isEmpty ? [] : [band]) + [line, text]
    }
  }
}
