import Testing

@testable import Media

private let chart = LineChart(
  LineChart.colors.indices.map { index in
    LineChart.Series(
      name: "curve \(index)", x: [0, 10], y: [Double(index), 1], spread: [0.1, 0.1])
  }, title: "T", xLabel: "x", yLabel: "y", yScale: .linear)

@Test func everyColorOfAThemedChartHasADarkOne() throws {
  let svg = chart.svg(isThemed: true)
  let used = Set(
    svg.matches(of: #/(?:fill|stroke)="var\((--chart-[0-9a-f]{6}), #([0-9a-f]{6})\)"/#)
      .map { String($0.output.1) })
  let plain = svg.matches(of: #/(?:fill|stroke)="#/#)
  #expect(plain.isEmpty)
  #expect(used.count >= 8 + 5)
  for variable in used { #expect(LineChart.darkStyle.contains("\(variable): #"), "\(variable)") }
  #expect(!chart.svg().contains("var("))
}

@Test func placementTellsWhereTheDataIs() {
  let place = chart.placement(width: 400, height: 300)
  let scene = chart.scene(width: 400, height: 300)
  #expect(place.left == scene.plot.left && place.bottom == scene.plot.bottom)
  #expect(place.xRange == 0...10)
  #expect(place.yRange.lowerBound < -0.1 && place.yRange.upperBound > 7.1)
}
