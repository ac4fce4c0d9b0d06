import Configuration
import Runs
import Training

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
    return text + referenceNames
  }

  /// The other names of settings.
  private var referenceNames: String {
    var text = """

      ## Names of the DPPO reference

      The files and overrides of `policy pretrain`, `policy finetune` and `policy import` also take these
      names of the reference's configuration. A name may stand where the reference has it
      (`train.n_steps`), beside the setting, or in any mapping around it (`training.n_steps`, `n_steps`).
      What is called alike there, as `min_lr`, needs the key before it (`actor_lr_scheduler.min_lr`).
      Giving a setting under two names is refused. `config.yaml` has the names on the right.
      `policy import` takes the names of what is in `policy` in the first column of settings.

      | DPPO | policy pretrain | policy finetune |
      | --- | --- | --- |

      """
    for row in ReferenceNames.all {
      let cells = [row.name, row.pretraining, row.fineTuning].map { $0.map { "`\($0)`" } ?? "" }
      text += "| \(cells.joined(separator: " | ")) |\n"
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
