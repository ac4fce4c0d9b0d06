import ArgumentParser
import Files
import Runs

/// `attune inspect FILE...`
struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show what is in files with tensors.",
    discussion: """
      Reads safetensors files and their indexes, npy, npz, HDF5 and PyTorch (.pt, .pth) files, and \
      folders of them, such as a run. Nothing in a file is executed.

      Example:
        attune inspect policy.safetensors demos.npz runs/hopper
        attune inspect --json policy.safetensors
      """)

  @Flag(help: "Print one JSON object: files [{path, kind, tensors [{name, type, shape}]}].")
  var json = false

  @Argument(
    help: ArgumentHelp("Files or folders to read.", valueName: "file"), completion: .file())
  var files: [String]

  func run() throws {
    var summaries: [FileSummary] = []
    var hasFailed = false
    for argument in files {
      do {
        let listing = try FileListing(path: argument)
        if !json, let line = listing.line { print(line) }
        for path in listing.tensorFiles {
          do {
            let summary = try FileSummary(path: path)
            if json { summaries.append(summary) } else { print(SummaryTable(summary).text) }
          } catch {
            report(error, &hasFailed)
          }
        }
      } catch {
        report(error, &hasFailed)
      }
    }
    if json { print(try InspectReport(summaries).jsonLine) }
    if hasFailed { throw ExitCode.failure }
  }

  /// One file's failure does not keep the others from being shown.
  private func report(_ error: FileError, _ hasFailed: inout Bool) {
    StandardError.write("attune: \(error)")
    hasFailed = true
  }
}
