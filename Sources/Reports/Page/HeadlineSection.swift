import Runs

/// The numbers that a run is evaluated by: first, best and last.
enum HeadlineSection {
  static func html(_ run: RunContents) -> HTML? {
    let curves = run.headlines
    guard !curves.isEmpty else { return nil }
    let cards = curves.map { card($0, noun: run.kind.iterationNoun) }.joined
    return """
      <section>
      <h2>Results</h2>
      <div class="cards">
      \(cards)</div>
      </section>
      """
  }

  /// A value with its standard error.
  static func words(_ point: MetricCurve.Point) -> String {
    NumberText.short(point.value, error: point.error)
  }

  private static func card(_ curve: MetricCurve, noun: String) -> HTML {
    let points = curve.finitePoints
    guard let first = points.first, let last = points.last else { return "" }
    var parts: [HTML] = []
    if points.count > 1 {
      parts.append("<span>first <b>\(words(first))</b></span>")
      if let best = curve.best {
        let place = "\(noun) \(best.iteration.grouped)"
        parts.append("<span>best <b>\(words(best))</b> at \(place)</span>")
      }
    }
    parts.append("<span>last at \(noun) \(last.iteration.grouped)</span>")
    return """
      <div class="card">
      <h3>\(curve.name.words)</h3>
      <p class="value">\(words(last))\(change(first, last, curve))</p>
      <p class="aside">\(parts.joined)</p>
      </div>

      """
  }

  private static func change(
    _ first: MetricCurve.Point, _ last: MetricCurve.Point, _ curve: MetricCurve
  ) -> HTML? {
    let difference = last.value - first.value
    guard curve.points.count > 1, difference != 0 else { return nil }
    let isBetter = (difference > 0) == (curve.name.direction == .up)
    let text = (difference > 0 ? "+" : "−") + NumberText.short(abs(difference))
    return " <span class=\"change \(isBetter ? "better" : "worse")\">\(text)</span>"
  }
}
