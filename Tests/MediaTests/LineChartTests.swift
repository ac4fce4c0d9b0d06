import Foundation
import FoundationXML
import TestSupport
import Testing

@testable import Media

private func lines(_ scene: ChartScene) -> [[DrawingPoint]] {
  scene.plotShapes.compactMap {
    if case .line(let points, _, _, _) = $0 { points } else { nil }
  }
}

private func areas(_ scene: ChartScene) -> [[DrawingPoint]] {
  scene.plotShapes.compactMap { if case .area(let points, _, _) = $0 { points } else { nil } }
}

private func dots(_ scene: ChartScene) -> [DrawingPoint] {
  scene.plotShapes.compactMap { if case .dot(let center, _, _) = $0 { center } else { nil } }
}

private func texts(_ scene: ChartScene) -> [String] {
  (scene.shapes + scene.plotShapes).compactMap {
    if case .label(let label) = $0 { label.string } else { nil }
  }
}

private let wave = LineChart.Series(
  name: "wave", x: (0..<50).map(Double.init), y: (0..<50).map { sin(Double($0) / 8) },
  spread: Array(repeating: 0.2, count: 50))

@Test func valuesThatAreNotFiniteAreGaps() {
  let series = LineChart.Series(
    name: "gaps", x: [0, 1, 2, 3, 4, 5, 6, .nan, 8],
    y: [1, 2, .nan, 4, .infinity, 6, 7, 8, -.infinity])
  let scene = LineChart([series]).scene(width: 400, height: 300)
  #expect(lines(scene).map(\.count) == [2, 2])
  #expect(dots(scene).count == 1)  // 3, 4 stands alone
}

@Test func bandsHaveGapsToo() {
  var series = wave
  series.spread[20] = .nan
  series.y[30] = .infinity
  let scene = LineChart([series]).scene(width: 400, height: 300)
  #expect(areas(scene).map(\.count) == [2 * 20, 2 * 9, 2 * 19])
  #expect(lines(scene).map(\.count) == [30, 19])
}

@Test func logarithmicAxesLeaveOutWhatIsNotPositive() {
  let series = LineChart.Series(
    name: "loss", x: [0, 1, 2, 3, 4], y: [10, 1, 0, 0.1, 0.01], spread: [1, 1, 1, 0.05, 0.02])
  let scene = LineChart([series], yScale: .logarithmic).scene(width: 400, height: 300)
  #expect(lines(scene).map(\.count) == [2, 2])
  // The band of 1 +- 1 reaches zero, which is the bottom of the plot.
  let first = areas(scene)[0]
  #expect(first.count == 4 && first[2].y == scene.plot.bottom)
}

@Test func curvesGoWhereTheirValuesAre() {
  let scene = LineChart(
    [LineChart.Series(name: "", x: [0, 10], y: [-1, 3])], xRange: 0...20, yRange: -1...7
  ).scene(width: 400, height: 300)
  let plot = scene.plot
  let line = lines(scene)[0]
  #expect(line[0] == DrawingPoint(x: plot.left, y: plot.bottom))
  #expect(abs(line[1].x - (plot.left + plot.width / 2)) < 1e-9)
  #expect(abs(line[1].y - (plot.top + plot.height / 2)) < 1e-9)
}

@Test func everythingAskedForIsWritten() {
  var chart = LineChart([wave, wave], title: "Title & more", xLabel: "steps <k>", yLabel: "return")
  chart.series[1].name = "second"
  let scene = chart.scene(width: 500, height: 300)
  for text in ["Title & more", "steps <k>", "return", "wave", "second", "-1", "0", "40"] {
    #expect(texts(scene).contains(text), "\(text)")
  }
  #expect(texts(LineChart([]).scene(width: 200, height: 150)).contains("no data"))
}

/// Every point of the frame, and every text by its width, lies inside the image.
@Test func nothingSticksOut() {
  let long = String(repeating: "a very long text ", count: 20)
  var chart = LineChart([], title: long, xLabel: long, yLabel: long)
  chart.series = (0..<20).map { index in
    var series = wave
    series.name = index == 3 ? long : "series \(index)"
    return series
  }
  for (width, height) in [(400.0, 400.0), (900.0, 500.0)] {
    let scene = chart.scene(width: width, height: height)
    #expect(scene.plot.height >= 20 && scene.plot.width >= width / 3)
    for case .label(let text) in scene.shapes {
      let length = Text(text.string, size: text.size, isBold: text.isBold).size.x
      let shift = text.anchor == .start ? 0 : text.anchor == .middle ? -length / 2 : -length
      let start = text.isVertical ? text.position.y - shift : text.position.x + shift
      let end = text.isVertical ? start - length : start + length
      let limit = text.isVertical ? height : width
      #expect(min(start, end) >= -1 && max(start, end) <= limit + 1, "\(text.string)")
    }
    for case .line(let points, _, _, _) in scene.shapes {
      #expect(points.allSatisfy { (0...width).contains($0.x) && (0...height).contains($0.y) })
    }
  }
}

@Test func coloursAndDashesTellCurvesApart() {
  let styles = (0..<24).map { wave.style(index: $0) }
  #expect(Set(styles.map { "\($0.color.hexadecimal) \($0.dashes)" }).count == 24)
  #expect(styles[0].dashes == [] && styles[8].dashes != [])
}

private final class ElementCounter: NSObject, XMLParserDelegate {
  var counts: [String: Int] = [:]
  var text = ""

  func parser(
    _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
    qualifiedName: String?, attributes: [String: String]
  ) { counts[name, default: 0] += 1 }

  func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }
}

@Test func svgIsWellFormed() throws {
  var series = wave
  series.name = "a < b & \"c\" \u{1}"
  series.y[10] = .nan
  series.y[12] = .nan
  let svg = LineChart([series], title: "</svg>").svg()
  let parser = XMLParser(data: Data(svg.utf8))
  let counter = ElementCounter()
  parser.delegate = counter
  #expect(parser.parse())
  #expect(counter.counts["svg"] == 2 && counter.counts["polygon"] == 2 + 1)
  #expect(counter.counts["circle"] == 1)
  #expect(counter.text.contains("</svg>") && counter.text.contains("a < b & \"c\""))
  #expect(!svg.contains("nan") && !svg.contains("inf"))
}

@Test func pngsShowTheCurveAndItsBand() {
  let red = Color(0xFF0000)
  let flat = LineChart.Series(
    name: "", x: [0, 1, 2, .nan, 3, 4], y: Array(repeating: 5, count: 6),
    spread: Array(repeating: 2, count: 6), color: red)
  let chart = LineChart([flat], yRange: 0...10)
  let image = chart.image(width: 400, height: 300, pixelDensity: 1)
  let plot = chart.scene(width: 400, height: 300).plot
  #expect(image.width == 400 && image.height == 300)
  func pixel(_ x: Double, _ y: Double) -> [UInt8] {
    let column = Int(plot.left + x / 4 * plot.width)
    return Array(image[column, Int(plot.bottom - y / 10 * plot.height)])
  }
  #expect(pixel(1.1, 5) == [255, 0, 0])
  #expect(pixel(3.6, 5) == [255, 0, 0])
  #expect(pixel(2.6, 5) == [255, 255, 255] || pixel(2.6, 5.1) == [255, 255, 255])  // the gap
  #expect(pixel(1.1, 6.2) == [255, 209, 209])  // 18% red over white
  #expect(pixel(1.1, 7.5) == [255, 255, 255])
  let dense = chart.image(width: 400, height: 300, pixelDensity: 1.5)
  #expect(dense.width == 600 && dense.height == 450)
}

/// Both back ends draw the same plot; librsvg, through ffmpeg, stands for browsers.
@Test func svgAndPNGAgree() throws {
  guard let ffmpeg = Programs.find("ffmpeg") else {
    print("skipped: ffmpeg is not installed")
    return
  }
  let folder = try TemporaryFolder()
  let chart = LineChart([wave], title: "wave")
  try chart.writeSVG(to: folder.file("chart.svg"))
  guard
    let output = try Programs.output(
      ffmpeg, ["-i", folder.file("chart.svg"), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
  else {
    print("skipped: this ffmpeg does not read SVG")
    return
  }
  let image = chart.image(pixelDensity: 1)
  try #require(output.count == image.samples.count)
  let plot = chart.scene(width: 720, height: 440).plot
  var (drawn, expected): ([UInt8], [UInt8]) = ([], [])
  for y in Int(plot.top) + 2..<Int(plot.bottom) - 2 {
    let row = (y * 720 + Int(plot.left) + 2) * 3..<(y * 720 + Int(plot.right) - 2) * 3
    drawn += image.samples[row]
    expected += output[row]
  }
  let ratio = peakSignalToNoise(drawn, expected)
  print("SVG against PNG: \(ratio) dB")
  #expect(ratio >= 30)
}

@Test func thinningKeepsWhatCanBeSeen() {
  let noise = (0..<10_000).map {
    DrawingPoint(x: Double($0) / 100, y: Double(($0 * 7_919) % 1_000))
  }
  let thinned = CurveThinning.thinned(noise)
  #expect(thinned.count <= 4 * 201)
  #expect(thinned.first == noise.first && thinned.last == noise.last)
  for column in stride(from: 0, to: 100, by: 0.5) {
    func extremes(_ points: [DrawingPoint]) -> [Double?] {
      let inside = points.filter { $0.x >= column && $0.x < column + 0.5 }.map(\.y)
      return [inside.min(), inside.max()]
    }
    #expect(extremes(thinned) == extremes(noise))
  }
  let few = Array(noise[..<40].enumerated()).map {
    DrawingPoint(x: Double($0.offset), y: $0.element.y)
  }
  #expect(CurveThinning.thinned(few) == few)
}

/// Whatever the numbers, a chart is drawn.
@Test func strangeNumbersAreDrawn() throws {
  var generator = SeededGenerator(state: 5)
  let pool = [
    0, -0.0, 1, -1, .nan, .infinity, -.infinity, 1e308, -1e308, 1e-308, .leastNonzeroMagnitude,
    1e15, 1e-9, 1e149,
    -1e149, 1 + 1e-16, 1e9 + 1e-7,
  ]
  for round in 0..<150 {
    let count = Int.random(in: 0...6, using: &generator)
    func values() -> [Double] {
      (0..<count).map { _ in pool.randomElement(using: &generator) ?? 0 }
    }
    let scale = round % 2 == 0 ? LineChart.Scale.linear : .logarithmic
    let chart = LineChart(
      [LineChart.Series(name: "s", x: values(), y: values(), spread: values())], xScale: scale,
      yScale: scale, yRange: round % 5 == 0 ? 0...1e-3 : nil)
    let svg = chart.svg(width: 200, height: 150)
    #expect(!svg.contains("nan") && !svg.contains("inf"))
    #expect(chart.image(width: 200, height: 150, pixelDensity: 1).width == 200)
  }
}
