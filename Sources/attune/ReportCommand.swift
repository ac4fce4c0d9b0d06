import ArgumentParser
import Media
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

  @Flag(help: "Do not print what could not be shown; the page states it.")
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

/// `attune chart RUN [RUN ...] --metric KEY --output FILE.svg`
struct ChartCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "chart",
    abstract: "Plot metrics of several runs in one chart.",
    discussion: """
      Bands are standard errors, where a metric has them.

      Examples:
        attune chart runs/push-t-0 runs/push-t-1 --metric evaluationSuccessRate \\
          --label "seed 0" "seed 1" --x step --output push-t.svg
        attune chart runs/push-t-0 --metric loss --metric validationLoss \\
          --output loss.png
      """)

  @Argument(help: "The run folders.", completion: .directory)
  var runs: [String]

  @Option(help: "A name from metrics.jsonl; may be given several times.")
  var metric: [String]

  @Option(
    parsing: .upToNextOption,
    help: "The runs' names in the legend, one for each; the folders' names unless given.")
  var label: [String] = []

  @Option(name: .customLong("x"), help: "The unit of the horizontal axis: step or iteration.")
  var axis = ChartAxisKind.iteration

  @Option(help: "A line above the chart.")
  var title: String?

  @Option(
    name: .shortAndLong, help: "The image to write, .svg or .png.",
    completion: .file(extensions: ["svg", "png"]))
  var output: String

  @Flag(help: "Print warnings and errors only.")
  var quiet = false

  func validate() throws {
    guard !runs.isEmpty else { throw ValidationError("name at least one run folder") }
    guard !metric.isEmpty else { throw ValidationError("name at least one --metric") }
    guard label.isEmpty || label.count == runs.count else {
      throw ValidationError(
        "\(runs.count.counting("run")) need as many --label, not \(label.count); quote each one")
    }
    guard isSVG || output.lowercased().hasSuffix(".png") else {
      throw ValidationError("--output must end in .svg or .png, not '\(output)'")
    }
  }

  private var isSVG: Bool { output.lowercased().hasSuffix(".svg") }

  func run() throws {
    let sources = runs.enumerated().map { index, path in
      ComparisonChart.Source(path: path, label: label.isEmpty ? nil : label[index])
    }
    let comparison = try ComparisonChart(sources, metrics: metric, axis: axis, title: title)
    let log = RunLog(isQuiet: quiet)
    for note in comparison.notes { log.warn(note) }
    if isSVG {
      try comparison.chart.writeSVG(to: output)
    } else {
      try comparison.chart.writePNG(to: output)
    }
    log.info("wrote \(output): \(comparison.chart.series.count.counting("curve"))")
  }
}

extension ChartAxisKind: ExpressibleByArgument {}
