import Environments
import Foundation
import Tensors
import Testing

@testable import PythonEnvironments

/// A folder that is gone afterwards.
func inTemporaryFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
  let folder = FileManager.default.temporaryDirectory
    .appending(path: "attune-\(UUID().uuidString)").path
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: folder) }
  return try body(folder)
}

/// Processes that die are started anew a few times, without what ran in them.
@Suite(.enabled(if: FakeGymnasium.isAvailable, "needs python3 with numpy"))
struct RestartTests {
  private func fault(_ name: String, once: String? = nil, restarts: Int = 3) -> [String: String] {
    let once = once.map { ", \"once\": \"\($0)\"" } ?? ""
    return [
      "kwargs": "{\"fault\": \"\(name)\"\(once)}", "stepTimeLimit": "1", "workers": "1",
      "restarts": "\(restarts)",
    ]
  }

  @Test(arguments: ["die", "hang"])
  func anEpisodeIsLostAndTheNextOneStarts(fault name: String) throws {
    try inTemporaryFolder { folder in
      let environment = try FakeGymnasium.make(
        "Faulty-v0", fault(name, once: folder + "/died"))
      try environment.reset(seed: 1)
      let start = environment.observation
      for _ in 0..<2 { #expect(try !environment.step([0.5, 0]).isFinished) }
      let outcome = try environment.step([0.5, 0])
      #expect(outcome == .lost && outcome.isFinished)
      let isFinite = environment.observation.allSatisfy { $0.isFinite }
      #expect(isFinite)
      #expect(environment.lane?.restartCount == 1)
      try environment.reset(seed: 1)
      #expect(environment.observation == start)
      for _ in 0..<4 { #expect(try !environment.step([0.5, 0]).isFinished) }
    }
  }

  @Test func itIsGivenUpWhenItDiesTooOften() throws {
    let environment = try FakeGymnasium.make("Faulty-v0", fault("die", restarts: 2))
    func playToTheEnd() throws -> StepOutcome {
      try environment.reset(seed: 1)
      for _ in 0..<2 { try environment.step([0, 0]) }
      return try environment.step([0, 0])
    }
    #expect(try playToTheEnd() == .lost)
    #expect(try playToTheEnd() == .lost)
    let thrown = #expect(throws: EnvironmentError.self) { try playToTheEnd() }
    let error = try #require(thrown)
    let words = "\(error)"
    #expect(words.contains("its Python process ended with status 5"), "\(words)")
    #expect(
      words.contains(
        "it was started anew 2 times within an hour, as often as the parameter 'restarts' allows"),
      "\(words)")
    #expect(throws: error) { try environment.reset(seed: 1) }
  }

  /// Its neighbours in the process lose theirs too; nobody's statistics count them.
  @Test func aVectorGoesOnWithoutTheLostEpisodes() throws {
    try inTemporaryFolder { folder in
      let vector = try LocalVectorEnvironment(count: 3, seed: 3) {
        try FakeGymnasium.make(
          "Faulty-v0",
          fault("die", once: folder + "/died").merging(["timeLimit": "6"]) { $1 })
      }
      #expect(vector.restartCount == 0)
      var (lost, finished) = (0, [FinishedEpisode]())
      for _ in 0..<30 {
        try vector.step(Tensor(repeating: 0.1, shape: [3, 2]))
        lost += vector.outcomes.filter(\.isLost).count
        finished += vector.finishedEpisodes
      }
      #expect(vector.restartCount == 1)
      #expect(lost == 3)
      #expect(finished.allSatisfy { $0.statistics.stepCount == 6 && $0.episode > 0 })
      #expect(finished.count >= 10)
    }
  }

  /// The way is gone again from its beginning.
  @Test func aProcessThatDiesWhileAnEpisodeIsReplayedIsStartedAnew() throws {
    try inTemporaryFolder { folder in
      let parameters = fault("die", once: folder + "/died")
      let healthy = try FakeGymnasium.make("Faulty-v0", fault("none"))
      try healthy.reset(seed: 2)
      for _ in 0..<5 { try healthy.step([0.2, 0]) }
      let resumed = try FakeGymnasium.make("Faulty-v0", parameters)
      try resumed.restore(try healthy.savedState())
      #expect(resumed.observation == healthy.observation)
      #expect(resumed.lane?.restartCount == 1)
    }
  }

  @Test func aCheckOfAnEnvironmentThatDiesIsAnError() throws {
    #expect(throws: EnvironmentError.self) {
      try EnvironmentChecker { try FakeGymnasium.make("Faulty-v0", fault("die")) }.run()
    }
  }
}

/// What libraries print is kept and its beginning told. Alone: the folder is the whole program's.
@Suite(.serialized, .enabled(if: FakeGymnasium.isAvailable, "needs python3 with numpy"))
struct WorkerLogTests {
  @Test func printsAreKeptInTheFolderAndRepetitionsCounted() throws {
    try inTemporaryFolder { folder in
      EnvironmentLogs.keep(in: folder)
      defer { EnvironmentLogs.keepInNoFolder() }
      let told = ToldLines()
      EnvironmentLogs.send { told.append($0) }
      defer { EnvironmentLogs.send { _ in } }
      let environment = try FakeGymnasium.make(
        "Faulty-v0", ["kwargs": "{\"fault\": \"print\"}", "workers": "1", "stepTimeLimit": "31"])
      try environment.reset(seed: 1)
      for _ in 0..<12 { try environment.step([0, 0]) }
      // Written by its own name, since other tests' workers print too.
      let files = try FileManager.default.contentsOfDirectory(atPath: folder)
      #expect(files.allSatisfy { $0.hasPrefix("python-worker-") && $0.hasSuffix(".log") })
      let texts = try files.map { try String(contentsOfFile: "\(folder)/\($0)", encoding: .utf8) }
      let said = String(repeating: "a library says something", count: 100)
      #expect(texts.filter { $0.contains(said) }.count >= 1)
      #expect(
        texts.allSatisfy { $0.components(separatedBy: said).count == 2 || !$0.contains(said) })
      #expect(
        told.lines.contains { $0.hasPrefix("python-worker-") && $0.contains("a library says") })
    }
  }

  /// Whoever waits for Python is told what for.
  @Test func waitingForProcessesIsTold() throws {
    let told = ToldLines()
    EnvironmentLogs.send { told.append($0) }
    defer { EnvironmentLogs.send { _ in } }
    var parameters = PythonParameters()
    parameters.python = FakeGymnasium.python
    let workers = try (0..<2).map { _ in
      try PythonWorker(parameters.settings(.gymnasium, name: "Point-v0"), limits: parameters.limits)
    }
    _ = try PythonWorkers.make(in: [workers[0], workers[1], workers[0]], announcementDelay: 0)
    #expect(
      told.lines.contains(
        "gymnasium:Point-v0: waiting for 2 Python processes to import it and to make 3 environments"
      ))
  }

  /// Where the folder is gone, too, what went before a failure can be read.
  @Test func tracebacksAreKept() throws {
    EnvironmentLogs.keep(in: "/nowhere/at-all")
    defer { EnvironmentLogs.keepInNoFolder() }
    let words = FakeGymnasium.words(
      "Faulty-v0", ["kwargs": "{\"fault\": \"raise\"}", "stepTimeLimit": "31", "restarts": "0"])
    #expect(words.contains("in step); the whole traceback is in "), "\(words)")
    let path = words.components(separatedBy: "the whole traceback is in ").last ?? ""
    defer { try? FileManager.default.removeItem(atPath: path) }
    let log = try String(contentsOfFile: path, encoding: .utf8)
    #expect(log.contains("Traceback (most recent call last)") && log.contains("gripper is stuck"))
  }
}

/// Lines from any thread.
private final class ToldLines: @unchecked Sendable {
  private let lock = NSLock()
  private var kept: [String] = []
  var lines: [String] { lock.withLock { kept } }
  func append(_ line: String) { lock.withLock { kept.append(line) } }
}
