import Foundation
import Media
import TestSupport
import Testing

/// `attune report` and `attune chart`.
@Suite struct ReportCommandTests {
  private let folder: TemporaryFolder
  private var url: URL { folder.url }

  init() throws {
    folder = try TemporaryFolder()
    for run in ["a", "b"] {
      try FileManager.default.createDirectory(
        at: folder.url.appending(path: run), withIntermediateDirectories: true)
      try folder.write("seed: 1\n", to: "\(run)/config.yaml")
      try folder.write(
        (1...4).map { #"{"iteration": \#($0), "step": \#($0), "loss": \#(9 - $0)}"# + "\n" }
          .joined(), to: "\(run)/metrics.jsonl")
    }
  }

  @Test func reportIsWrittenIntoTheRun() throws {
    let report = try Attune.run(["report", "a/"], in: folder)
    #expect(report.status == 0)
    #expect(report.output == "a/report.html\n")
    #expect(try folder.text("a/report.html").contains("<h1>a</h1>"))
    let elsewhere = try Attune.run(["report", "a", "--output", "page.html"], in: folder)
    #expect(elsewhere.status == 0 && elsewhere.output == "page.html\n")
    #expect(try folder.text("page.html").hasSuffix("</html>\n"))
    let names = try FileManager.default.contentsOfDirectory(atPath: url.path + "/a").sorted()
    #expect(names == ["config.yaml", "metrics.jsonl", "report.html"])
  }

  @Test func reportSaysWhatItCannotShow() throws {
    try folder.write("{\"iteration\": 1", to: "a/metrics.jsonl")
    let report = try Attune.run(["report", "a"], in: folder)
    #expect(report.status == 0)
    #expect(report.output.contains("warning: a/metrics.jsonl: line 1 cannot be read"))
    #expect(try Attune.run(["report", "a", "--quiet"], in: folder).output == "a/report.html\n")
    let none = try Attune.run(["report", "nowhere"], in: folder)
    #expect(none.status == 1)
    #expect(none.output.hasPrefix("attune: nowhere: is not a run folder"))
    #expect(none.output.split(separator: "\n").count == 1)
    let unwritable = try Attune.run(["report", "a", "-o", "no/such/page.html"], in: folder)
    #expect(unwritable.status == 1 && unwritable.output.contains("no/such/page.html"))
  }

  @Test func chartsAsSVGAndPNG() throws {
    let svg = try Attune.run(
      [
        "chart", "a", "b", "--metric", "loss", "--label", "first", "second", "--title", "T <1>",
        "--x", "step", "--output", "out.svg",
      ], in: folder)
    #expect(svg.status == 0, "\(svg.output)")
    let text = try folder.text("out.svg")
    for part in [">first<", ">second<", ">T &lt;1&gt;<", ">step<", ">loss<"] {
      #expect(text.contains(part), "\(part)")
    }
    let png = try Attune.run(
      ["chart", "a", "--metric", "loss", "--output", "out.png", "--quiet"], in: folder)
    #expect(png.status == 0 && png.output == "")
    #expect(try Image(contentsOfFile: url.appending(path: "out.png").path).width == 1440)
  }

  @Test func chartsRefuseWhatTheyCannotDraw() throws {
    func run(_ arguments: String...) throws -> ProgramOutcome {
      try Attune.run(["chart"] + arguments, in: folder)
    }
    let missing = try run("a", "b", "--metric", "lose", "--output", "x.svg")
    #expect(missing.status == 1)
    #expect(
      missing.output == "attune: a/metrics.jsonl: has no metric 'lose'; did you mean 'loss'?\n")
    #expect(try run("a", "--metric", "loss", "--output", "x.jpg").status == 2)
    #expect(try run("a", "--output", "x.svg").status == 2)
    #expect(
      try run("a", "b", "--metric", "loss", "--output", "x.svg", "--label", "one").status == 2)
    #expect(try run("a", "--metric", "loss", "--output", "x.svg", "--x", "time").status == 2)
    #expect(!FileManager.default.fileExists(atPath: url.path + "/x.svg"))
  }
}
