import Files
import Foundation
import Runs

/// What was run, and how far it is.
enum HeaderSection {
  static func html(_ run: RunContents) -> HTML {
    let rows = facts(run).map { label, value -> HTML in
      "<div><dt>\(label)</dt><dd>\(value)</dd></div>\n"
    }.joined
    return """
      <header>
      <p class="kind">\(run.kind.title)</p>
      <h1>\(run.path.name)</h1>
      \(progress(run))
      <dl class="facts">
      \(rows)</dl>
      </header>
      """
  }

  private static func progress(_ run: RunContents) -> HTML {
    guard let last = run.last else { return "<p class=\"state\">No metrics yet.</p>" }
    let noun = run.kind.iterationNoun
    let steps = run.hasOwnSteps ? ", \(last.step.grouped) steps" : ""
    guard let count = run.iterations, count > 0 else {
      return "<p class=\"state\">\(last.iteration.counting(noun))\(steps)</p>"
    }
    if last.iteration >= count {
      return """
        <p class="state"><span class="pill done">finished</span> \(last.iteration.counting(noun))\
        \(steps)</p>
        """
    }
    let percent = max(0, min(100, 100 * Double(last.iteration) / Double(count)))
    return """
      <p class="state"><span class="pill">at \(noun) \(last.iteration.grouped) of \(count.grouped)\
      </span>\(steps.isEmpty ? "" : " \(steps.dropFirst(2))")</p>
      <div class="progress"><div style="width: \(String(format: "%.1f", percent))%"></div></div>
      """
  }

  private static func facts(_ run: RunContents) -> [(String, HTML)] {
    var facts: [(String, HTML)] = run.kind.facts.compactMap { label, path in
      run.settings?[path].map { (label, "\($0)") }
    }
    if let command = run.kind.command {
      facts.append(("repeat it", code("\(command) --config \(quoted(run.path("config.yaml")))")))
      if let last = run.last, let count = run.iterations, last.iteration < count {
        facts.append(("continue", code("\(command) --resume \(quoted(run.path.path))")))
      }
    }
    let history = run.history
    if let start = history.starts.first {
      let resumed = history.starts.count - 1
      let words = resumed == 0 ? "" : resumed == 1 ? ", resumed once" : ", resumed \(resumed) times"
      facts.append(("started", "\(date(start))\(words)"))
    }
    if let computing = run.computing {
      facts.append(
        (
          "precision",
          "\(computing.precision), by \(computing.kernel) of \(computing.processor)"
        ))
    }
    if let written = history.lastWritten { facts.append(("last metrics", "\(date(written))")) }
    return facts
  }

  private static func code(_ text: String) -> HTML { "<code>\(text)</code>" }

  /// A path as a shell reads it.
  private static func quoted(_ path: String) -> String {
    let isPlain = path.allSatisfy {
      $0.isASCII && ($0.isLetter || $0.isNumber || "/._-".contains($0))
    }
    return isPlain
      ? path : "'\(path.printable.replacingOccurrences(of: "'", with: "'\\''"))'"
  }

  private static func date(_ date: Date) -> String {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.timeZone = TimeZone(identifier: "UTC")
    formatter.dateFormat = "yyyy-MM-dd HH:mm 'UTC'"
    return formatter.string(from: date)
  }
}

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
