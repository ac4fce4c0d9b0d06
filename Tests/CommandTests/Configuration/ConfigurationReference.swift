import Configuration
import Runs

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

      **Resuming.** A run continues as it was started. `--resume RUN key.path=value` takes another value
      only for keys marked with *resume*; the command prints the change and keeps it in `run.json`.
      Keys marked with *resume: path* may name another place that holds the same content. All else is
      refused with both values, also what was edited in the folder's `config.yaml`. A run without a
      checkpoint starts again from its beginning, with any settings but another seed.

      This page is made from the code by `make configuration-reference`; a test fails when it is stale.

      """
    for settings in CommandSettings.all {
      text += "\n## attune \(settings.command)\n\n"
      text += "| key | default | meaning |\n| --- | --- | --- |\n"
      for setting in try settings.descriptions {
        text += line(setting, of: settings.type)
      }
    }
    return text
  }

  /// What a setting means: what its declaration says, or the comment above it.
  func meaning(of setting: SettingDescription) -> String? {
    setting.meaning ?? comments.comment(on: setting.property, in: setting.owner)
  }

  private func line(_ setting: SettingDescription, of type: any RunConfiguration.Type) -> String {
    var meaning = meaning(of: setting) ?? ""
    if let choices = setting.choices {
      meaning += " One of \(choices.map { "`\($0)`" }.joined(separator: ", "))."
    }
    if let range = setting.range { meaning += " Range: \(range)." }
    let changeable = type.changeableOnResume
    if changeable.paths.contains(setting.key) {
      meaning += " *(resume: path)*"
    } else if changeable.allows(setting.key) {
      meaning += " *(resume)*"
    }
    let cell = meaning.replacing("|", with: "\\|")
    return "| `\(setting.key)` | `\(setting.defaultText)` | \(cell) |\n"
  }
}
