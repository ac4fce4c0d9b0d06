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
      let name = ChartLayout.fitted(
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
        corners.map { ChartPoint(x: $0.0, y: $0.1) }, color: style.color, opacity: 0.18)
      let line = ChartScene.Shape.line(
        [ChartPoint(x: x + 1, y: y), ChartPoint(x: end - 1, y: y)], color: style.color, width: 2,
        dashes: style.dashes)
      let text = ChartScene.Shape.text(
        ChartScene.Text(
          string: item.name,
          position: ChartPoint(x: end + 6, y: y + ChartLegend.textSize * 0.35),
          size: ChartLegend.textSize, color: ChartLegend.textColor))
      return (item.series.spread.isEmpty ? [] : [band]) + [line, text]
    }
  }
}
