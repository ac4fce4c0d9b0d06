import Media
import Runs

/// The learning curves, and the numbers that the page's script shows at the pointer.
struct ChartSection {
  /// What the script knows of a chart.
  struct Curve: Encodable {
    var name: String
    /// Iterations; `s` are steps where they differ, `y` values (null where they are not finite),
    /// `e` standard errors.
    var x: [Int]
    var s: [Int]?
    var y: [Double?]
    var e: [Double?]?
    /// The plot's left, top, right and bottom.
    var plot: [Double]
    /// The values at its left, right, lower and upper edges.
    var range: [Double]
    var isLogarithmic: Bool
  }

  struct Data: Encodable {
    var noun: String
    var curves: [Curve]
  }

  let html: HTML?
  let data: Data

  private static let size = (width: 400.0, height: 230.0)
  private static let maxPointCount = 2_000

  init(_ run: RunContents) {
    let headlines = run.headlines
    let keys = Set(headlines.map(\.name))
    let others = run.curves.filter { !keys.contains($0.name) }
    let moving = others.filter { $0.constant == nil && !$0.finitePoints.isEmpty }
    let still = others.filter { curve in !moving.contains { $0.name == curve.name } }
    // A curve of one value only says no more than its headline.
    let shown = headlines + moving
    let noun = run.kind.iterationNoun
    let charts = shown.map { Self.chart($0, noun: noun) }
    data = Data(
      noun: noun,
      curves: zip(shown, charts).map { Self.curve($0, $1, hasOwnSteps: run.hasOwnSteps) })

    guard !shown.isEmpty else {
      html = nil
      return
    }
    let figures = zip(shown, charts).enumerated().map { index, pair in
      Self.figure(pair.0, pair.1, index: index)
    }
    let first = figures.prefix(headlines.count).joined
    let rest = figures.dropFirst(headlines.count)
    let state: HTML = headlines.isEmpty ? " open" : ""
    let more: HTML? =
      rest.isEmpty
      ? nil
      : """
      <details\(state)>
      <summary>\(headlines.isEmpty ? "Curves" : "Other curves") (\(rest.count))</summary>
      <div class="charts">
      \(rest.joined)</div>
      </details>
      """
    let bands: HTML = shown.contains(where: \.hasErrors) ? " Bands are standard errors." : ""
    html = """
      <section>
      <h2>Learning curves</h2>
      <p class="hint">Point at a curve, or touch it, to read all curves there; arrow keys move along.\(bands)</p>
      <div class="charts">
      \(first)</div>
      \(more)
      \(Self.constants(still))
      </section>
      """
  }

  private static func chart(_ curve: MetricCurve, noun: String) -> LineChart {
    let isLogarithmic = curve.name.isLogarithmic(curve.points.map(\.value))
    let index = curve.name.direction == .none ? 7 : curve.name.direction == .down ? 1 : 0
    return LineChart(
      [curve.series(axis: .iteration, name: "", color: LineChart.colors[index])],
      xLabel: noun, yScale: isLogarithmic ? .logarithmic : .linear)
  }

  private static func curve(
    _ curve: MetricCurve, _ chart: LineChart, hasOwnSteps: Bool
  ) -> Curve {
    let points = curve.thinned(toAbout: maxPointCount)
    let place = chart.placement(width: size.width, height: size.height)
    return Curve(
      name: curve.name.key, x: points.map(\.iteration), s: hasOwnSteps ? points.map(\.step) : nil,
      y: points.map { NumberText.rounded($0.value) },
      e: curve.hasErrors ? points.map { $0.error.flatMap(NumberText.rounded) } : nil,
      plot: [place.left, place.top, place.right, place.bottom],
      range: [
        place.xRange.lowerBound, place.xRange.upperBound, place.yRange.lowerBound,
        place.yRange.upperBound,
      ],
      isLogarithmic: chart.yScale == .logarithmic)
  }

  private static func figure(_ curve: MetricCurve, _ chart: LineChart, index: Int) -> HTML {
    let last = curve.finitePoints.last.map { HeadlineSection.words($0) } ?? ""
    let svg = HTML(
      markup: chart.svg(width: size.width, height: size.height, isThemed: true))
    let scale: HTML? =
      chart.yScale == .logarithmic ? " <span class=\"aside\">log scale</span>" : nil
    return """
      <figure class="chart" data-curve="\(index)" tabindex="0" aria-label="\(curve.name.words)">
      <figcaption><span>\(curve.name.words)\(scale)</span> <output>\(last)</output></figcaption>
      \(svg)</figure>

      """
  }

  private static func constants(_ curves: [MetricCurve]) -> HTML? {
    guard !curves.isEmpty else { return nil }
    let items = curves.map { curve in
      "\(curve.name.words) "
        + (curve.constant.map { NumberText.short($0) } ?? "never a finite number")
    }
    return "<p class=\"aside\">Unchanged: \(items.joined(separator: ", ")).</p>"
  }
}
