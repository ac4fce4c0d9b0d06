import Files
import TestSupport
import Testing

@testable import Runs

@Suite struct MetricsTests {
  private let temporary: TemporaryFolder
  private var path: String { "\(temporary.path)/metrics.jsonl" }

  init() throws { temporary = try TemporaryFolder() }

  private func record(_ iteration: Int) -> MetricsRecord {
    var record = MetricsRecord(iteration: iteration, step: iteration * 100)
    record["meanReturn"] = Double(iteration) / 3
    record["loss"] = 0.1
    return record
  }

  @Test func writesSortedShortestNumbers() throws {
    let writer = try MetricsWriter(path: path)
    var record = record(1)
    record["klDivergence"] = .nan
    record["gradientNorm"] = -.infinity
    record["tiny"] = .leastNonzeroMagnitude
    try writer.write(record)
    // Read while the writer is open: every line is handed over at once.
    #expect(
      try String(contentsOfFile: path, encoding: .utf8)
        == "{\"iteration\": 1, \"step\": 100, \"gradientNorm\": null, \"klDivergence\": null, "
        + "\"loss\": 0.1, \"meanReturn\": 0.3333333333333333, \"tiny\": 5e-324}\n")
    let back = try MetricsReader(path: path)
    #expect(back.records.count == 1)
    #expect(back.records[0].values["klDivergence"]?.isNaN == true)
    #expect(back.records[0]["meanReturn"] == 1.0 / 3)
    #expect(back.records[0]["tiny"] == .leastNonzeroMagnitude)
    #expect(back.names == ["gradientNorm", "klDivergence", "loss", "meanReturn", "tiny"])
    #expect(back.curve(of: "loss").steps == [100])
    #expect(back.curve(of: "loss").values == [0.1])
  }

  @Test(arguments: [0, 3, 5, 9])
  func resumingGivesTheFileOfARunThatNeverStopped(checkpoint: Int) throws {
    let writer = try MetricsWriter(path: path)
    for iteration in 1...8 { try writer.write(record(iteration)) }
    let whole = try String(contentsOfFile: path, encoding: .utf8)
    let first = try MetricsWriter(path: path)
    try first.write(record(9))
    // Killed in the middle of a line.
    try AtomicFile.write(
      try String(contentsOfFile: path, encoding: .utf8) + "{\"iteration\": 10, \"st", to: path)
    let resumed = try MetricsWriter(path: path, resumingAfter: checkpoint)
    for iteration in checkpoint + 1..<max(9, checkpoint + 1) {
      try resumed.write(record(iteration))
    }
    let expected = checkpoint == 9 ? whole + record(9).line : whole
    #expect(try String(contentsOfFile: path, encoding: .utf8) == expected)
  }

  @Test func damagedLineInTheMidstIsNamed() throws {
    _ = try temporary.write(record(1).line + "{}\n" + record(2).line, to: "metrics.jsonl")
    let error = #expect(throws: FileError.self) { try MetricsReader(path: path) }
    #expect(error?.item == "line 2")
  }
}
