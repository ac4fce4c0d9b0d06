import Configuration
import Files

/// Why a folder cannot be used for a run.
public enum RunFolderError: Error, Sendable, Equatable, CustomStringConvertible {
  /// A new run was to start where one is already.
  case alreadyARun(path: String)
  /// A new run was to start where a file is that it would replace.
  case holdsOtherFiles(path: String, name: String)
  /// A run was to be resumed where none is.
  case notARun(path: String)
  /// Another process is writing the run; its number, if known.
  case inUse(path: String, process: Int?)
  /// A run was to be resumed that has no checkpoint that can be read.
  case noCheckpoint(path: String)
  /// A run was to be resumed with settings that must stay as it was started with.
  case changedSettings(path: String, [SettingChange])
  /// What a run reads is not what it was started with.
  case changedInput(path: String, RunInput, before: String)

  /// What is wrong and what to do, in one line.
  public var description: String {
    switch self {
    case .alreadyARun(let path):
      "\(path.printable): holds a run already; continue with it by --resume \(path.printable), or choose "
        + "another --output"
    case .holdsOtherFiles(let path, let name):
      "\(path.printable): holds \(name.printable), which a run here would replace; choose another "
        + "--output"
    case .notARun(let path):
      "\(path.printable): is not a run folder (it has no config.yaml); name the folder that an "
        + "earlier command made with --output"
    case .inUse(let path, let process):
      "\(path.printable): another process\(process.map { " (\($0))" } ?? "") is writing this run; wait "
        + "for it, stop it, or choose another folder"
    case .noCheckpoint(let path):
      "\(path.printable): has no checkpoint that can be read; start again with another --output"
    case .changedSettings(let path, let changes):
      "\(path.printable): cannot be resumed with "
        + changes.map {
          "'\($0.key.printable)': found \($0.to.printable), expected \($0.from.printable)"
        }
        .joined(separator: "; ")
        + ", as it was started with; start a run of its own with --output"
    case .changedInput(let path, let input, let before):
      "\(input.path.printable): '\(input.key)' is not what \(path.printable) was started "
        + "with (content \(input.fingerprint), expected \(before)); put that back or name where it "
        + "is by \(input.key)=PATH, or start a run of its own with --output"
    }
  }
}
