/// The page, section by section.
struct ReportPage {
  let html: HTML

  init(_ run: RunContents) throws {
    let charts = ChartSection(run)
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
      <title>\(run.path.name) · Attune</title>
      <style>\(HTML(markup: PageStyle.css))</style>
      </head>
      <body>
      <main>
      \(HeaderSection.html(run))
      \(Self.notes(run.notes))
      \(HeadlineSection.html(run))
      \(MediaSection.pairs(run))
      \(charts.html)
      \(MediaSection.pictures(run))
      \(MediaSection.videos(run))
      \(TimingSection.html(run))
      \(SettingsSection.html(run))
      </main>
      <footer>Written by <code>attune report</code>. This page is one file and needs no network.</footer>
      <script type="application/json" id="curves">\(try HTML.json(charts.data))</script>
      <script>\(HTML(markup: PageScript.javaScript))</script>
      </body>
      </html>

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
