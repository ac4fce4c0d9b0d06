import Files
import Runs

/// The resolved settings, folded.
enum SettingsSection {
  static func html(_ run: RunContents) -> HTML? {
    guard let text = run.settingsText else { return nil }
    let checkpoints = run.history.checkpoints.map(\.grouped).joined(separator: ", ")
    let noun = run.kind.iterationNoun
    let kept: HTML? =
      checkpoints.isEmpty
      ? nil : "<p class=\"aside\">Checkpoints after \(noun) \(checkpoints).</p>"
    return """
      <section>
      <h2>Settings</h2>
      <details>
      <summary>config.yaml, every setting of the run</summary>
      <pre>\(lines(text))</pre>
      </details>
      \(kept)
      </section>
      """
  }

  /// Keys apart from values, as an editor shows them.
  private static func lines(_ text: String) -> HTML {
    TextFile.lines(of: text).map { line -> HTML in
      guard let match = line.firstMatch(of: #/^(\s*(?:- )?)([\w.-]+:)(.*)$/#) else {
        return "\(String(line))\n"
      }
      let (indent, key, rest) = (match.output.1, match.output.2, match.output.3)
      return "\(String(indent))<span class=\"key-name\">\(String(key))</span>\(String(rest))\n"
    }.joined
  }
}
