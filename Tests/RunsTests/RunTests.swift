import Files
import Foundation
import Synchronization
import Tensors
import TestSupport
import Testing

@testable import Runs

/// A small training loop, stopped and resumed.
@Suite struct RunTests {
  private let temporary: TemporaryFolder
  private let quiet = RunLog(isQuiet: true) { _ in }

  init() throws { temporary = try TemporaryFolder() }

  /// Doubles a weight each iteration and saves every second one; `stop` is where it is killed.
  private func train(_ run: Run<SampleConfiguration>, stop: Int) throws {
    var weight = run.resumed.map { $0.tensors(prefix: "")["weight"]?.scalar ?? .nan } ?? 1
    guard run.firstIteration <= stop else { return }
    for iteration in run.firstIteration...stop {
      weight = run.times.measure("update") { weight * 1.1 }
      var record = MetricsRecord(iteration: iteration, step: iteration * 10)
      record["weight"] = Double(weight)
      try run.write(record, times: ["seconds": run.times.total])
      guard iteration.isMultiple(of: 2) else { continue }
      try run.save(
        Checkpoint(iteration: iteration, tensors: ["weight": StoredTensor(Tensor(weight))]))
    }
  }

  @Test func resumedRunWritesTheSameMetrics() throws {
    let (whole, stopped) = (temporary.path + "/whole", temporary.path + "/stopped")
    let configuration = SampleConfiguration()
    try train(
      .start(at: whole, configuration: configuration, command: "test", log: quiet), stop: 10)
    try train(
      .start(at: stopped, configuration: configuration, command: "test", log: quiet), stop: 5)
    // Iteration 5 has metrics but no checkpoint, as after kill -9; another stop, on a checkpoint.
    try train(.resume(at: stopped, command: "test", log: quiet), stop: 8)
    let last = try Run<SampleConfiguration>.resume(at: stopped, command: "test", log: quiet)
    #expect(last.firstIteration == 9)
    #expect(last.times.total > 0)
    try train(last, stop: 10)
    #expect(
      try String(contentsOfFile: stopped + "/metrics.jsonl", encoding: .utf8)
        == String(contentsOfFile: whole + "/metrics.jsonl", encoding: .utf8))
    #expect(try MetricsReader(path: whole + "/metrics.jsonl").records.count == 10)
    let events = FolderListing.names(in: stopped).filter { $0.hasPrefix("events.out.tfevents.") }
    #expect(events.count == 3)
  }

  @Test func stoppedBeforeItsFirstCheckpointStartsAnew() throws {
    let path = temporary.path + "/run"
    try train(.start(at: path, configuration: .init(), command: "test", log: quiet), stop: 1)
    let lines = Mutex<[String]>([])
    let run = try Run<SampleConfiguration>.resume(
      at: path, command: "test", overrides: ["seed=5"],
      log: RunLog { line in lines.withLock { $0.append(line) } })
    #expect(
      lines.withLock { $0 } == [
        "\(path) has no checkpoint yet and starts from its beginning", "changed: seed null -> 5",
      ])
    #expect(run.resumed?.iteration == nil)
    #expect(run.firstIteration == 1)
    #expect(try String(contentsOfFile: path + "/metrics.jsonl", encoding: .utf8).isEmpty)
    #expect(run.configuration.seed == 5)
    // Had the command refused the setting, the next attempt would not meet it again.
    #expect(try SampleConfiguration.load(from: path + "/config.yaml").seed != 5)
    try run.write(MetricsRecord(iteration: 1, step: 1, values: ["loss": 1]))
    #expect(try SampleConfiguration.load(from: path + "/config.yaml").seed == 5)
  }

  @Test func withoutAValidCheckpointNothingIsTouched() throws {
    let path = temporary.path + "/run"
    try train(.start(at: path, configuration: .init(), command: "test", log: quiet), stop: 3)
    let metrics = try String(contentsOfFile: path + "/metrics.jsonl", encoding: .utf8)
    for iteration in CheckpointFolder(path: path + "/checkpoints").iterations {
      try Data("damaged".utf8).write(
        to: URL(
          fileURLWithPath: CheckpointFolder(path: path + "/checkpoints")
            .path(ofIteration: iteration)))
    }
    for _ in 0..<2 {
      #expect(throws: RunFolderError.noCheckpoint(path: path)) {
        try Run<SampleConfiguration>.resume(at: path, command: "test", log: quiet)
      }
      #expect(try String(contentsOfFile: path + "/metrics.jsonl", encoding: .utf8) == metrics)
      // Nor does it start anew when somebody has removed them all.
      try? FileManager.default.removeItem(atPath: path + "/checkpoints")
    }
  }
}
