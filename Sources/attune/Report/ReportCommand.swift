import ArgumentParser
import Reports
import Runs

/// `attune report RUN [--output FILE.html]`
struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Writes a page about a run.",
    discussion: """
      The page is one HTML file that needs no network: what was run, results, learning curves, \
      pictures, videos, times and settings. The run may still be going on; nothing in its folder is \
      changed but the page.

      Examples:
        attune report runs/finetune-20261122-183000
        attune report runs/dolls --output dolls.html
      """)

  @Argument(help: ArgumentHelp("The run folder.", valueName: "run"))
  var folder: String

  @Option(name: .shortAndLong, help: "The page to write; RUN/report.html unless given.")
  var output: String?

  @Flag(help: "Do not say what could not be shown; the page says it.")
  var quiet = false

  func run() throws {
    let report = try RunReport(run: folder)
    let path = output ?? RunReport.usualPath(run: folder)
    try report.write(to: path)
    let log = RunLog()
    if !quiet { for note in report.notes { log.warn(note) } }
    print(path)
  }
}
