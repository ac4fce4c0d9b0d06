import Files
import Foundation
import Runs

/// The resolved settings, folded, and what was changed on the way.
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
      \(changes(run.resumptions, noun: noun))
      \(kept)
      </section>
      """
  }

  /// A row for each setting that was changed when the run was resumed.
  private static func changes(_ resumptions: [RunRecord.Resumption], noun: String) -> HTML? {
    let rows = resumptions.flatMap { resumption in
      resumption.changes.map { change -> HTML in
        """
        <tr><td>\(resumption.iteration.grouped)</td><td>\(change.key)</td>\
        <td>\(change.from)</td><td>\(change.to)</td></tr>

        """
      }
    }
    guard !rows.isEmpty else { return nil }
    return """
      <h3>Changed when the run was resumed</h3>
      <table>
      <thead><tr><th>after \(noun)</th><th>setting</th><th>before</th><th>from then on</th></tr></thead>
      <tbody>
      \(rows.joined)</tbody>
      </table>
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

/// Where the time went.
enum TimingSection {
  static func html(_ run: RunContents) -> HTML? {
    guard let times = run.history.times, times.total > 0 else {
      guard run.recordCount > 0 else { return nil }
      return """
        <section>
        <h2>Time</h2>
        <p class="aside">Times are kept in checkpoints, and no checkpoint of this run tells them.</p>
        </section>
        """
    }
    let total = times.total
    let sections = times.sections.map { (name: $0, seconds: times.seconds[$0] ?? 0) }
    let parts = sections.enumerated().map { index, section -> HTML in
      """
      <div class="part color\(index % 8)" style="flex-grow: \(fraction(section.seconds, total))" \
      title="\(section.name), \(TimeText.precise(section.seconds))"></div>
      """
    }.joined
    let rows = sections.enumerated().map { index, section -> HTML in
      """
      <tr><td><span class="key color\(index % 8)"></span>\(section.name)</td>\
      <td>\(TimeText.precise(section.seconds))</td>\
      <td>\(fraction(section.seconds, total))%</td></tr>

      """
    }.joined
    let count = run.history.timedIterationCount
    let noun = run.kind.iterationNoun
    let rate: HTML? =
      count > 0
      ? "<p class=\"aside\">\(perIteration(total / Double(count))) for each \(noun), until \(noun) \(count.grouped).</p>"
      : nil
    return """
      <section>
      <h2>Time</h2>
      <div class="bar">\(parts)</div>
      <table>
      <thead><tr><th>part</th><th>time</th><th>fraction</th></tr></thead>
      <tbody>
      \(rows)</tbody>
      <tfoot><tr><td>total</td><td>\(TimeText.precise(total))</td><td></td></tr></tfoot>
      </table>
      \(rate)
      </section>
      """
  }

  private static func fraction(_ seconds: Double, _ total: Double) -> String {
    String(format: "%.1f", 100 * seconds / total)
  }

  private static func perIteration(_ seconds: Double) -> String {
    seconds < 1 ? "\(NumberText.short(seconds * 1000)) ms" : TimeText.precise(seconds)
  }
}
