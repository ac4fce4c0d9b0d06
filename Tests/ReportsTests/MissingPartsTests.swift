import Foundation
import Glibc
import Runs
import Testing

@testable import Reports

/// A damaged run folder gives a page that says so.
@Suite struct MissingPartsTests {
  /// The notes of a run whose page is valid and shows them.
  private func notes(_ run: SyntheticRun, limits: ReportLimits = ReportLimits()) throws -> [String]
  {
    let report = try run.report(limits: limits)
    #expect(PageCheck(report.html).problems == [])
    for note in report.notes { #expect(report.html.contains(HTML.escaped(note))) }
    return report.notes
  }

  @Test func aFolderThatIsNoRunIsAnError() throws {
    let run = try SyntheticRun(config: nil)
    defer { withExtendedLifetime(run) {} }
    #expect(throws: RunFolderError.notARun(path: run.path)) {
      try RunReport(runs: [run.path + "/"])
    }
    #expect(throws: RunFolderError.self) { try RunReport(runs: [run.path + "/no such"]) }
    #expect(throws: RunFolderError.self) { try RunReport(runs: [""]) }
  }

  @Test func aRunThatHasJustBegun() throws {
    let run = try SyntheticRun()
    #expect(try notes(run) == [])
    #expect(try run.report().html.contains("No metrics yet."))
    for folder in ["images", "videos", "checkpoints"] {
      try FileManager.default.removeItem(atPath: "\(run.path)/\(folder)")
    }
    try run.write("", to: "metrics.jsonl")
    #expect(try notes(run) == [])
  }

  @Test func foldersHaveTheirNames() {
    #expect(RunPath("runs/a//").name == "a" && RunPath("a").path == "a")
    #expect(RunPath("/tmp/.").name == "tmp" && RunPath("/tmp/../tmp/.").name == "tmp")
    #expect(RunPath("/").path == "/" && RunPath("no such/..").name == "no such/..")
  }

  @Test func settingsThatAreGoneOrDamaged() throws {
    let line = SyntheticRun.lines(2) { #""loss": \#($0)"# }
    let gone = try SyntheticRun(config: nil, metrics: line)
    #expect(try notes(gone).count == 1)
    #expect(try notes(gone).first?.contains("config.yaml: cannot be opened") ?? false)
    let damaged = try SyntheticRun(config: "a: [1, <2>", metrics: line)
    #expect(try notes(damaged).first?.contains("is not YAML") ?? false)
    #expect(try damaged.report().html.contains("[1, &lt;2&gt;"))
    let binary = try SyntheticRun(metrics: line)
    try binary.write(Data([0xFF, 0xFE, 0]), to: "config.yaml")
    #expect(try notes(binary).first?.contains("UTF-8") ?? false)
  }

  @Test func metricsThatAreCutOrDamaged() throws {
    let whole = SyntheticRun.lines(3) { #""loss": \#($0)"# }
    let cut = try SyntheticRun(metrics: whole + #"{"iteration": 4, "st"#)
    #expect(try notes(cut).first?.contains("line 4 cannot be read and is left out") ?? false)
    #expect(try PageCheck(cut.report().html).hoverData().curves.first?.x == [1, 2, 3])
    let holes = try SyntheticRun(metrics: "{}\n\n" + whole + "nonsense\n" + whole)
    #expect(try notes(holes).first?.contains("lines 1, 2, 6 cannot be read") ?? false)
    let folder = try SyntheticRun()
    try FileManager.default.createDirectory(
      atPath: "\(folder.path)/metrics.jsonl", withIntermediateDirectories: false)
    #expect(try notes(folder).first?.contains("is not a regular file") ?? false)
    let huge = try SyntheticRun(
      metrics: #"{"iteration": 1, "step": 1, "loss": 1e308, "gap": null}"# + "\n"
        + #"{"iteration": 2, "step": 9000000000000000000, "loss": -1e308, "gap": null}"# + "\n")
    #expect(try notes(huge) == [])
    #expect(try huge.report().html.contains("gap never a finite number"))
  }

  @Test func imagesAndVideosThatCannotBeShown() throws {
    let run = try SyntheticRun()
    try run.writeImage("good-000001")
    try run.write("not an image", to: "images/bad-000002.png")
    mkfifo("\(run.path)/images/pipe-000003.png", 0o600)
    try run.write("text", to: "images/notes.txt")
    try run.write("0123456789", to: "videos/bad.mp4")
    try run.writeVideo("long", byteCount: 5_000)
    try run.writeVideo("short", byteCount: 50)
    var limits = ReportLimits()
    limits.videoByteCount = 4_000
    let notes = try notes(run, limits: limits)
    #expect(notes.count == 4)
    #expect(notes.contains { $0.contains("bad-000002.png is not a PNG") })
    #expect(notes.contains { $0.contains("pipe-000003.png: is not a regular file") })
    #expect(notes.contains { $0.contains("bad.mp4: is not an MP4 video") })
    #expect(
      notes.contains { $0.contains("long.mp4 is not shown: it has 5.0 kB, more than 4.0 kB") })
    let page = PageCheck(try run.report(limits: limits).html)
    #expect(page.count("img") == 1 && page.count("video") == 1)
  }

  @Test func moreThanAPageHolds() throws {
    let run = try SyntheticRun()
    for index in 0..<30 { try run.writeImage("s-\(1_000_000 + index)") }
    var limits = ReportLimits()
    limits.imageCount = 5
    #expect(try notes(run, limits: limits).first?.contains("5 of 30 images") ?? false)
    let html = try run.report(limits: limits).html
    let shown = html.matches(of: #/alt="s ([\d,]+)"/#).map { String($0.output.1) }
    #expect(shown == ["1,000,029", "1,000,021", "1,000,014", "1,000,007", "1,000,000"])
    // Room for one and a half.
    limits.totalByteCount =
      try Data(contentsOf: URL(filePath: "\(run.path)/images/s-1000000.png")).count * 3 / 2
    let notes = try notes(run, limits: limits)
    #expect(notes.count == 5 && notes.contains { $0.contains("the page is full") })
  }
}
