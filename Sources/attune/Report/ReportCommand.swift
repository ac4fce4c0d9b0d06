import ArgumentParser
import Reports
import Runs

/// `attune report RUN... [--output FILE.html]`
struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Write a report page about one run or several.",
    discussion: """
      The page is one HTML file that needs no network: what was run, results, learning curves, \
      images, videos, times and settings. The run may still be continuing; nothing in its folder is \
      changed but the page.

      Examples:
        attune report runs/finetune-20261122-183000
        attune report runs/dolls runs/find --output both.html
      """)

  @Argument(
    help: ArgumentHelp("The run folders, in the order of the page.", valueName: "run"),
    completion: .directory)
  var folders: [String]

  @Option(
    name: .shortAndLong,
    help: "The page to write; report.html in the folder of the only run unless given.",
    completion: .file(extensions: ["html"]))
  var output: String?

  @Flag(help: "Do not say what could not be shown; the page states it.")
  var quiet = false

  func validate() throws {
    if let output { try validateOutput(output, ending: ".html") }
    guard folders.count == 1 || output != nil else {
      throw ValidationError("a page about several runs needs --output, where to write it")
    }
  }

  func run() throws {
    let report = try RunReport(runs: folders)
    let path = output ?? RunReport.usualPath(run: folders[0])
    try report.write(to: path)
    let log = RunLog()
    if !quiet { for note in report.notes { log.warn(note) } }
    print(path)
  }
}
