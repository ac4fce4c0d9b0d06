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
