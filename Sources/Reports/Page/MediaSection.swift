import Runs

/// Images and videos.
enum MediaSection {
  /// Before and after, side by side.
  static func pairs(_ run: RunContents) -> HTML? {
    let pairs = run.images.pairs + run.videos.pairs
    guard !pairs.isEmpty else { return nil }
    let rows = pairs.map { pair -> HTML in
      let heading: HTML? = pair.name.isEmpty ? nil : "<h3>\(pair.name)</h3>\n"
      return """
        \(heading)<div class="pair">
        \(side(pair.before, "Before"))\(side(pair.after, "After"))</div>

        """
    }.joined
    let prompt: HTML? = (run.settings?["prompt"] ?? run.settings?["prompts"]).map {
      "<p class=\"prompt\">“\($0)”</p>"
    }
    return """
      <section>
      <h2>Before and after</h2>
      \(prompt)
      \(rows)</section>
      """
  }

  private static func side(_ file: MediaFile?, _ word: String) -> HTML {
    guard let file else {
      return """
        <figure><div class="missing">not there yet</div><figcaption>\(word)</figcaption></figure>

        """
    }
    return
      "<figure>\(element(file, label: word))<figcaption><b>\(word)</b></figcaption></figure>\n"
  }

  /// The newest image large, the others small.
  static func images(_ run: RunContents) -> HTML? {
    let files = run.images.others
    guard let newest = files.last else { return nil }
    let figures = files.reversed().map { file -> HTML in
      let isLarge: HTML = file.name == newest.name ? " large" : ""
      return """
        <figure class="image\(isLarge)"><button type="button" title="\(label(file))">\
        \(element(file, label: label(file)))</button><figcaption>\(label(file))</figcaption></figure>

        """
    }.joined
    let hint: HTML? =
      files.count > 1
      ? "<p class=\"hint\">The newest is large; choose another to enlarge it.</p>" : nil
    return """
      <section>
      <h2>Images</h2>
      \(hint)
      <div class="images">
      \(figures)</div>
      </section>
      """
  }

  static func videos(_ run: RunContents) -> HTML? {
    let files = run.videos.others
    guard !files.isEmpty else { return nil }
    let figures = files.reversed().map { file -> HTML in
      "<figure>\(element(file, label: label(file)))<figcaption>\(label(file))</figcaption></figure>\n"
    }.joined
    return """
      <section>
      <h2>Videos</h2>
      <div class="videos">
      \(figures)</div>
      </section>
      """
  }

  /// `samples-000500` as `samples 500`.
  private static func label(_ file: MediaFile) -> String {
    guard let match = file.name.firstMatch(of: #/^(.*)-(\d{6,18})$/#),
      let number = Int(match.output.2)
    else { return file.name }
    return "\(match.output.1) \(number.grouped)"
  }

  private static func element(_ file: MediaFile, label: String) -> HTML {
    let uri = HTML(markup: file.uri)
    switch file.kind {
    case .image:
      // Small images keep their pixels when they are shown larger.
      let (width, height) = file.size ?? (0, 0)
      let pixelated: HTML = width < 200 ? " class=\"pixels\"" : ""
      return
        "<img\(pixelated) width=\"\(width)\" height=\"\(height)\" alt=\"\(label)\" src=\"\(uri)\">"
    case .video:
      return
        "<video controls muted loop playsinline preload=\"metadata\" aria-label=\"\(label)\" src=\"\(uri)\"></video>"
    }
  }
}
