@testable import Runs

/// `docs/configuration.md`: every setting of every command.
struct ConfigurationReference {
  private let comments: SourceComments

  init() throws { comments = try SourceComments.current.get() }

  /// The whole document.
  func text() throws -> String {
    var text = """
      # Settings

      Every key of the YAML files that commands read by `--config`, with its default. A file needs only
      what differs; `key.path=value` on the command line wins over the file. What a run was made with
      lies in its folder as `config.yaml`, every key written out.

      **Resuming.** A run goes on as it was started. `--resume RUN key.path=value` takes another value
      only for keys marked with *resume*; the command prints the change and keeps it in `run.json`.
      Keys marked with *resume: path* may name another place that holds the same content. All else is
      refused with both values, also what was edited in the folder's `config.yaml`. A run without a
      checkpoint starts again from its beginning, with any settings but another seed.

      This page is made from the code by `make configuration-reference`; a test fails when it is stale.

      """
    for settings in CommandSettings.all {
      text += "\n## attune \(settings.command)\n\n"
      text += "| key | default | meaning |\n| --- | --- | --- |\n"
      for row in try SettingRow.rows(of: settings, comments) {
        text += line(row, of: settings.type)
      }
    }
    return text
  }

  private func line(_ row: SettingRow, of type: any RunConfiguration.Type) -> String {
    var meaning = row.meaning ?? ""
    if let choices = row.choices {
      meaning += " One of \(choices.map { "`\($0)`" }.joined(separator: ", "))."
    }
    let changeable = type.changeableOnResume
    if changeable.paths.contains(row.key) {
      meaning += " *(resume: path)*"
    } else if changeable.allows(row.key) {
      meaning += " *(resume)*"
    }
    return "| `\(row.key)` | `\(value(row.node))` | \(meaning.replacing("|", with: "\\|")) |\n"
  }

  /// A default in one line of YAML.
  private func value(_ node: ConfigurationNode) -> String {
    switch node.content {
    case .null: return "null"
    case .scalar(let text, let isText): return isText && text.isEmpty ? "\"\"" : text
    case .sequence(let elements): return "[\(elements.map(value).joined(separator: ", "))]"
    case .mapping(let entries):
      // Dictionaries have no order of their own.
      let pairs = entries.map { "\($0.key): \(value($0.value))" }.sorted()
      return "{\(pairs.joined(separator: ", "))}"
    }
  }
}
