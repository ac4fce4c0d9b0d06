import Files
import Foundation
import Media
import Runs

/// A page about one run or several that needs nothing but itself: no network, no other file.
public struct RunReport: Sendable {
  /// The page.
  public let html: String
  /// What of the runs could not be shown, a line each; the page says it too.
  public let notes: [String]

  /// Reads run folders, which may be in use or damaged.
  ///
  /// - Parameters:
  ///   - paths: the run folders, at least one, in the order of the page.
  ///   - limits: how much of each run the page may hold.
  /// - Throws: `RunFolderError.notARun` if one is none.
  public init(runs paths: [String], limits: ReportLimits = ReportLimits()) throws {
    precondition(!paths.isEmpty, "a page about no runs")
    let runs = try paths.map { try RunContents(run: $0, limits: limits) }
    html = try ReportPage(runs).html.markup
    notes = runs.flatMap { run in
      runs.count == 1 ? run.notes : run.notes.map { "\(run.path.name): \($0)" }
    }
  }

  /// The page in its run folder.
  public static func usualPath(run path: String) -> String { RunPath(path)("report.html") }

  /// Writes the page; a file that was there before is replaced only by a whole one.
  ///
  /// - Throws: `FileError` if the system refuses.
  public func write(to path: String) throws(FileError) {
    try AtomicFile.write(html, to: path)
  }
}

/// The page, run by run and section by section.
struct ReportPage {
  let html: HTML

  /// A page about at least one run.
  init(_ runs: [RunContents]) throws {
    let title = runs.map(\.path.name).joined(separator: ", ")
    // Nothing may be loaded; the browser is told so, in case a text should ever slip through.
    html = """
      <!doctype html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
      media-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <title>\(title) · Attune</title>
      <style>\(HTML(markup: PageResources.css))</style>
      </head>
      <body>
      \(try runs.map(Self.run).joined)
      <footer>Written by <code>attune report</code>. This page is one file and needs no network.</footer>
      <script>\(HTML(markup: PageResources.javaScript))</script>
      </body>
      </html>

      """
  }

  private static func run(_ run: RunContents) throws -> HTML {
    let charts = ChartSection(run)
    return """
      <main>
      \(HeaderSection.html(run))
      \(Self.notes(run.notes))
      \(HeadlineSection.html(run))
      \(MediaSection.pairs(run))
      \(charts.html)
      \(MediaSection.images(run))
      \(MediaSection.videos(run))
      \(TimingSection.html(run))
      \(SettingsSection.html(run))
      <script type="application/json">\(try HTML.json(charts.data))</script>
      </main>

      """
  }

  private static func notes(_ notes: [String]) -> HTML? {
    guard !notes.isEmpty else { return nil }
    let items = notes.map { note -> HTML in "<li>\(note)</li>" }.joined
    return """
      <section class="notes" role="note">
      <h2>Not everything could be shown</h2>
      <ul>\(items)</ul>
      </section>
      """
  }
}

/// The page's style and script, which SwiftPM puts into the program from the files beside this one.
enum PageResources {
  /// `page.css`, with the colors of charts in front.
  static let css = chartColors + String(decoding: PackageResources.page_css, as: UTF8.self)

  /// `page.js`
  static let javaScript = String(decoding: PackageResources.page_js, as: UTF8.self)

  /// The dark page's colors of charts, and the colors of the parts of a run's time.
  private static let chartColors = """
    :root { \(sectionColors(isDark: false)) }
    @media (prefers-color-scheme: dark) {
      :root { \(sectionColors(isDark: true)) \(LineChart.darkStyle) }
    }

    """

  private static func sectionColors(isDark: Bool) -> String {
    LineChart.colors.enumerated().map { index, color in
      "--section\(index): "
        + (isDark ? "var(--chart-\(color.hexadecimal.dropFirst()))" : color.hexadecimal) + ";"
    }.joined(separator: " ")
  }
}

/// A piece of a page.
///
/// Literals are markup. Texts that are put into them are escaped, so that nothing that a run folder
/// says can become markup; other pieces are put in as they are.
struct HTML: ExpressibleByStringInterpolation, Equatable {
  private(set) var markup: String

  init(markup: String) { self.markup = markup }

  init(stringLiteral value: String) { markup = value }

  init(stringInterpolation: Interpolation) { markup = stringInterpolation.markup }

  static func += (left: inout HTML, right: HTML) { left.markup += right.markup }

  struct Interpolation: StringInterpolationProtocol {
    var markup = ""

    init(literalCapacity: Int, interpolationCount: Int) {
      markup.reserveCapacity(literalCapacity)
    }

    mutating func appendLiteral(_ literal: String) { markup += literal }

    mutating func appendInterpolation(_ text: String) { markup += HTML.escaped(text) }

    mutating func appendInterpolation(_ number: Int) { markup += String(number) }

    mutating func appendInterpolation(_ piece: HTML) { markup += piece.markup }

    /// Nothing for nil.
    mutating func appendInterpolation(_ piece: HTML?) { markup += piece?.markup ?? "" }
  }

  /// The text with all that means something in HTML escaped, in attributes too, and without the
  /// characters that HTML forbids.
  static func escaped(_ text: String) -> String {
    text.unicodeScalars.reduce(into: "") { result, scalar in
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      case "\n", "\t": result.unicodeScalars.append(scalar)
      case "\u{0}"..<" ", "\u{7F}"..."\u{9F}", "\u{FFFE}", "\u{FFFF}": result += "\u{FFFD}"
      default: result.unicodeScalars.append(scalar)
      }
    }
  }

  /// JSON for a script element, whose end no text in it can be taken for.
  static func json(_ value: some Encodable) throws -> HTML {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let text = String(decoding: try encoder.encode(value), as: UTF8.self)
    return HTML(
      markup: text.replacingOccurrences(of: "<", with: "\\u003c")
        .replacingOccurrences(of: "\u{2028}", with: "\\u2028")
        .replacingOccurrences(of: "\u{2029}", with: "\\u2029"))
  }
}

extension Sequence<HTML> {
  /// The pieces one after the other.
  var joined: HTML { HTML(markup: map(\.markup).joined()) }
}
