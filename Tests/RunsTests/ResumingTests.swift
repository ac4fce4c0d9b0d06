import Configuration
import Files
import Foundation
import Synchronization
import Tensors
import TestSupport
import Testing

@testable import Runs

/// A resumed run is the run that was started.
@Suite struct ResumingTests {
  /// Settings of which some may change.
  private struct Settings: RunConfiguration {
    var seed = 1
    var precision = Precision.highest
    var path = "data"
    var parameters = ["mass": "1", "gravity": "2"]
    var names = ["a", "b, c"]
    var training = Training()
    static let changeableOnResume = ChangeableSettings(
      keys: ["precision", "training.iterations", "training.rate"], paths: ["path"])
  }

  private struct Training: Codable, Sendable, Hashable {
    var iterations = 20
    var rates = [1.0, 2.0]
    var rate = Rate()
  }

  private struct Rate: Codable, Sendable, Hashable {
    var maximum = 0.5
    var steps: Int?
  }

  private let folder: TemporaryFolder
  private let begun = RunRecord(command: "policy finetune", computing: .init(.highest))
  private let quiet = RunLog(isQuiet: true) { _ in }
  private var path: String { folder.file("run") }

  init() throws { folder = try TemporaryFolder() }

  /// A run with a checkpoint after iteration 3.
  private func begin(_ inputs: [RunInput] = []) throws {
    let run = try Run.start(
      at: path, configuration: Settings(), command: "policy finetune", log: quiet)
    try run.require(inputs)
    try run.save(Checkpoint(iteration: 3))
  }

  private func resume(_ overrides: String..., log: RunLog? = nil) throws -> Run<Settings> {
    try .resume(at: path, command: "policy finetune", overrides: overrides, log: log ?? quiet)
  }

  private func input(_ fingerprint: String, mayChange: Bool = false) -> RunInput {
    RunInput(key: "path", path: "data", fingerprint: fingerprint, mayChange: mayChange)
  }

  @Test(arguments: [
    ("seed=2", "seed", "1", "2"), ("parameters.mass='3'", "parameters.mass", #""1""#, #""3""#),
    ("parameters.wind='1'", "parameters.wind", "nothing", #""1""#),
    ("names=[a, b, c]", "names", #"[a, "b, c"]"#, "[a, b, c]"),
    ("training.rates=[2, 1]", "training.rates", "[1.0, 2.0]", "[2.0, 1.0]"),
  ])
  func otherSettingsAreRefusedWithBothValues(
    _ override: String, _ key: String, _ before: String, _ asked: String
  ) throws {
    try begin()
    let change = SettingChange(key: key, from: before, to: asked)
    #expect(throws: RunFolderError.changedSettings(path: path, [change])) { try resume(override) }
    let text = "\(RunFolderError.changedSettings(path: path, [change]))"
    #expect(text.contains("'\(key)': found \(asked), expected \(before)"))
    // Nothing has happened to the run.
    #expect(try resume().configuration == Settings())
  }

  /// The settings of the checkpoint count, not what somebody wrote into the folder since.
  @Test func editedSettingsAreRefused() throws {
    try begin()
    let yaml = try folder.text("run/config.yaml")
    try folder.write(yaml.replacing("seed: 1", with: "seed: 7"), to: "run/config.yaml")
    #expect(
      throws: RunFolderError.changedSettings(
        path: path, [SettingChange(key: "seed", from: "1", to: "7")])
    ) { try resume() }
    #expect(try resume("seed=1").configuration.seed == 1)
  }

  @Test func listedChangesAreTakenAndRecorded() throws {
    try begin()
    let lines = Mutex<[String]>([])
    do {
      let run = try resume(
        "training.iterations=40", "training.rate.maximum=0.25", "training.rate.steps=5",
        "path=elsewhere", log: RunLog { line in lines.withLock { $0.append(line) } })
      #expect(
        lines.withLock { $0 } == [
          "changed: path data -> elsewhere", "changed: training.iterations 20 -> 40",
          "changed: training.rate.maximum 0.5 -> 0.25", "changed: training.rate.steps null -> 5",
        ])
      // Not before they have served.
      #expect(try RunRecord.read(in: path) == begun)
      try run.save(Checkpoint(iteration: 4))
    }
    let record = try #require(try RunRecord.read(in: path))
    #expect(record.command == "policy finetune" && record.resumptions.count == 1)
    #expect(record.resumptions[0].iteration == 3)
    #expect(
      record.resumptions[0].changes[1]
        == SettingChange(key: "training.iterations", from: "20", to: "40"))
    #expect(try Settings.load(from: path + "/config.yaml").training.iterations == 40)
    // They are the run's now.
    #expect(throws: RunFolderError.self) { try resume("seed=2") }
    #expect(try resume().configuration.training.iterations == 40)
    try resume("training.iterations=60").save(Checkpoint(iteration: 5))
    #expect(try RunRecord.read(in: path)?.resumptions.map(\.iteration) == [3, 4])
  }

  @Test func inputsMustHoldWhatTheyHeld() throws {
    try begin([input("1111")])
    #expect(throws: RunFolderError.changedInput(path: path, input("2222"), before: "1111")) {
      try resume().require([input("2222")])
    }
    do {
      let run = try resume()
      #expect(run.knowsInput("path") && !run.knowsInput("other"))
      try run.require([input("1111")])
    }
    // Also one that a resumed run does not read again.
    try resume().save(Checkpoint(iteration: 4))
    #expect(throws: RunFolderError.self) { try resume().require([input("2222")]) }
  }

  @Test func changedProgramsAreTold() throws {
    try begin([input("1111")])
    let lines = Mutex<[String]>([])
    let run = try resume(
      log: RunLog(isQuiet: true) { line in lines.withLock { $0.append(line) } })
    try run.require([input("2222", mayChange: true)])
    let told = lines.withLock { $0 }
    #expect(told.count == 1 && told[0].contains("data, which 'path' names, has changed"))
  }

  /// What an earlier version wrote has no settings and fingerprints in it, and no record beside it.
  @Test func earlierCheckpointsAreTakenWithAWarning() throws {
    try begin()
    try FileManager.default.removeItem(atPath: path + "/run.json")
    try Checkpoint(iteration: 4).write(
      to: CheckpointFolder(path: path + "/checkpoints").path(ofIteration: 4))
    let lines = Mutex<[String]>([])
    #expect(throws: RunFolderError.self) { try resume("seed=2") }
    do {
      let run = try resume(
        log: RunLog(isQuiet: true) { line in lines.withLock { $0.append(line) } })
      try run.require([input("2222")])
      try run.save(Checkpoint(iteration: 5))
    }
    let told = lines.withLock { $0 }
    #expect(told.count == 1 && told[0].contains("'path' taken as found now"), "\(told)")
    #expect(try RunRecord.read(in: path) == begun)
    #expect(throws: RunFolderError.self) { try resume().require([input("1111")]) }
  }

  /// A run that was computed by other instructions would not be the same run.
  @Test func otherArithmeticIsRefusedUnlessAccepted() throws {
    try begin()
    let here = Precision.highest.arithmetic
    var checkpoint = try Checkpoint(
      path: CheckpointFolder(path: path + "/checkpoints").path(ofIteration: 3))
    #expect(checkpoint.metadata["run.arithmetic"] == here)
    checkpoint.metadata["run.arithmetic"] = "bfloat16 in tiles"
    try checkpoint.write(
      to: CheckpointFolder(path: path + "/checkpoints").path(ofIteration: 3))
    let error = RunFolderError.changedArithmetic(
      path: path, precision: .highest, before: "bfloat16 in tiles")
    #expect(throws: error) { try resume() }
    #expect("\(error)".contains("precision highest by bfloat16 in tiles, and here it is \(here)"))
    #expect(throws: error) { try resume("training.iterations=40") }
    let lines = Mutex<[String]>([])
    do {
      let run = try resume(
        "precision=highest",
        log: RunLog(isQuiet: true) { line in lines.withLock { $0.append(line) } })
      try run.save(Checkpoint(iteration: 4))
    }
    let told = lines.withLock { $0 }
    #expect(told.count == 1 && told[0].contains("are in \(here) from now on"), "\(told)")
    // From then on it is the run's own.
    #expect(try resume().resumed?.iteration == 4)
  }

  /// The record tells what computed a run, and a change of it.
  @Test func recordTellsThePrecision() throws {
    try begin()
    let started = try #require(try RunRecord.read(in: path)?.computing)
    #expect(started.precision == "highest" && started.kernel == Precision.highest.kernelName)
    #expect(!started.processor.isEmpty)
    try resume("precision=medium").save(Checkpoint(iteration: 4))
    let record = try #require(try RunRecord.read(in: path))
    #expect(record.computing?.precision == "medium")
    #expect(record.computing?.kernel == Precision.medium.kernelName)
    #expect(
      record.resumptions[0].changes
        == [SettingChange(key: "precision", from: "highest", to: "medium")])
    #expect(try resume().configuration.precision == .medium)
  }

  @Test func damagedRecordsAreNamed() throws {
    try begin()
    try folder.write("{", to: "run/run.json")
    #expect(throws: FileError.self) { try resume() }
    do {
      _ = try RunRecord.read(in: path)
    } catch {
      #expect("\(error)".contains("run.json") && "\(error)".contains("remove it"))
    }
  }

  @Test func foldersOfOneSecondDiffer() throws {
    let names = try (0..<3).map { _ in
      try RunFolder.makeDefault(named: "test-\(getpid())", now: 1_000_000)
    }
    defer { for name in names { try? FileManager.default.removeItem(atPath: name) } }
    #expect(Set(names).count == 3)
    #expect(names[1] == names[0] + "-2" && names[2] == names[0] + "-3")
    for name in names {
      _ = try RunFolder.create(at: name, configuration: Settings(), command: "test")
    }
  }
}
