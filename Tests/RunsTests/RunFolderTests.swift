import Files
import Foundation
import TestSupport
import Testing

@testable import Runs

@Suite struct RunFolderTests {
  private let temporary: TemporaryFolder
  private var path: String { "\(temporary.path)/runs/first" }

  init() throws { temporary = try TemporaryFolder() }

  @Test func makesTheLayout() throws {
    let folder = try RunFolder.create(
      at: path + "/", configuration: SampleConfiguration(), command: "test")
    #expect(folder.path == path)
    #expect(
      FolderListing.names(in: path)
        == [".lock", "checkpoints", "config.yaml", "images", "run.json", "videos"])
    let found = try SampleConfiguration.load(from: folder.configurationPath)
    #expect(found == SampleConfiguration())
  }

  @Test func refusesASecondRun() throws {
    for product in ["metrics.jsonl", "checkpoints/iteration-000001.safetensors"] {
      // What stopped before it recorded anything is no run.
      for _ in 0..<2 {
        _ = try RunFolder.create(
          at: path, configuration: SampleConfiguration(), command: "test")
      }
      try Data("{}".utf8).write(to: URL(filePath: "\(path)/\(product)"))
      #expect(throws: RunFolderError.alreadyARun(path: path)) {
        try RunFolder.create(at: path, configuration: SampleConfiguration(), command: "test")
      }
      try FileManager.default.removeItem(atPath: "\(path)/\(product)")
    }
    #expect("\(RunFolderError.alreadyARun(path: path))".contains("--resume"))
  }

  @Test(arguments: ["config.yaml", "policy.safetensors", "model/config.json"])
  func doesNotTakeOverOtherFiles(_ name: String) throws {
    try FileManager.default.createDirectory(
      atPath: "\(path)/model", withIntermediateDirectories: true)
    if !name.hasPrefix("model") { try FileManager.default.removeItem(atPath: "\(path)/model") }
    let file = try temporary.write("somebody's", to: "runs/first/\(name)")
    let expected = RunFolderError.holdsOtherFiles(
      path: path, name: name.split(separator: "/").first.map(String.init) ?? "")
    for _ in 0..<2 {
      #expect(throws: expected) {
        try RunFolder.create(at: path, configuration: SampleConfiguration(), command: "test")
      }
    }
    #expect(try String(contentsOfFile: file, encoding: .utf8) == "somebody's")
    #expect(!FolderListing.names(in: path).contains(".lock"))
  }

  @Test func resumesOnlyARun() throws {
    #expect(throws: RunFolderError.notARun(path: temporary.path)) {
      try RunFolder.resume(at: temporary.path)
    }
    #expect(throws: RunFolderError.notARun(path: "no/such")) { try RunFolder.resume(at: "no/such") }
  }

  @Test func oneProcessAtATime() throws {
    var folder: RunFolder? = try RunFolder.create(
      at: path, configuration: SampleConfiguration(), command: "test")
    #expect(folder?.path == path)
    let process = Int(ProcessInfo.processInfo.processIdentifier)
    #expect(throws: RunFolderError.inUse(path: path, process: process)) {
      try RunFolder.resume(at: path)
    }
    folder = nil
    _ = try RunFolder.resume(at: path)
  }

  /// A child process has every descriptor of its parent between its fork and its program's start.
  @Test func aChildProcessDoesNotKeepTheLock() throws {
    var folder: RunFolder? = try RunFolder.create(
      at: path, configuration: SampleConfiguration(), command: "test")
    let lockPath = try #require(folder).path + "/.lock"
    let descriptor = try #require(
      try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap(Int32.init)
        .first { (try? linkTarget("/proc/self/fd/\($0)")) == lockPath })
    let inherited = dup(descriptor)
    defer { close(inherited) }
    folder = nil
    _ = try RunFolder.resume(at: path)
  }

  private func linkTarget(_ path: String) throws -> String {
    try FileManager.default.destinationOfSymbolicLink(atPath: path)
  }

  /// The lock belongs to the system, so that another program sees it, and a killed one leaves none.
  @Test func anotherProcessHoldsTheLock() throws {
    _ = try RunFolder.create(at: path, configuration: SampleConfiguration(), command: "test")
    let holder = Process()
    holder.executableURL = URL(fileURLWithPath: "/usr/bin/flock")
    holder.arguments = ["\(path)/.lock", "cat"]
    let (input, output) = (Pipe(), Pipe())
    holder.standardInput = input
    holder.standardOutput = output
    try holder.run()
    // The echo says that the lock is held.
    try input.fileHandleForWriting.write(contentsOf: Data("held\n".utf8))
    _ = output.fileHandleForReading.availableData
    #expect(throws: RunFolderError.self) { try RunFolder.resume(at: path) }
    try input.fileHandleForWriting.close()
    holder.waitUntilExit()
    _ = try RunFolder.resume(at: path)
  }

  @Test func clearsAwayHalfWrittenFiles() throws {
    _ = try RunFolder.create(at: path, configuration: SampleConfiguration(), command: "test")
    let partial = try temporary.write("x", to: "runs/first/checkpoints/.attune-1-2.partial")
    _ = try RunFolder.resume(at: path)
    #expect(!FileManager.default.fileExists(atPath: partial))
  }

  @Test func clearsAwayAHalfWrittenConfiguration() throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    _ = try temporary.write("", to: "runs/first/.lock")
    let partial = try temporary.write("x", to: "runs/first/.attune-1-0.partial")
    _ = try RunFolder.create(at: path, configuration: SampleConfiguration(), command: "test")
    #expect(!FileManager.default.fileExists(atPath: partial))
  }

  /// A folder is replaced in three steps, between which a process may be killed.
  @Test func clearsAwayHalfWrittenFolders() throws {
    _ = try RunFolder.create(at: path, configuration: SampleConfiguration(), command: "test")
    let names = [".attune-model-12.partial", ".attune-model-12.old", ".attune-other-7.old"]
    try makeFolders(names)
    _ = try RunFolder.resume(at: path)
    for name in names { #expect(!FileManager.default.fileExists(atPath: "\(path)/\(name)")) }
    #expect(try temporary.text("runs/first/model/weights") == ".attune-model-12.old")
    #expect(try temporary.text("runs/first/other/weights") == ".attune-other-7.old")
  }

  /// A run may be started in a folder that is used for other things, or that holds other runs.
  @Test func leavesAloneWhatIsNotTheRuns() throws {
    let names = ["backup", "backup.2024.old", "inner/.attune-model-12.partial"]
    try makeFolders(names)
    _ = try RunFolder.create(at: path, configuration: SampleConfiguration(), command: "test")
    _ = try RunFolder.resume(at: path)
    for name in names { #expect(try temporary.text("runs/first/\(name)/weights") == name) }
  }

  private func makeFolders(_ names: [String]) throws {
    for name in names {
      try FileManager.default.createDirectory(
        atPath: "\(path)/\(name)", withIntermediateDirectories: true)
      _ = try temporary.write(name, to: "runs/first/\(name)/weights")
    }
  }

  @Test func anEmptyPathIsNone() throws {
    #expect(throws: FileError.self) {
      try RunFolder.create(at: "", configuration: SampleConfiguration(), command: "test")
    }
  }

  @Test func namesAFileInTheWay() throws {
    let file = try temporary.write("x", to: "file")
    let error = #expect(throws: FileError.self) {
      try RunFolder.create(
        at: file + "/run", configuration: SampleConfiguration(), command: "test")
    }
    #expect(error?.path == file)
    #expect(error?.problem.contains("folder is expected") == true)
  }

  @Test(.enabled(if: FileManager.default.fileExists(atPath: "/dev/full"), "needs /dev/full"))
  func fullDiskNamesThePath() throws {
    let writer = try AppendedFile(path: "/dev/full")
    let error = #expect(throws: FileError.self) { try writer.append([1]) }
    #expect(error?.description.hasPrefix("/dev/full: cannot be written: No space left") == true)
    #expect(error?.advice?.contains("free some space") == true)
  }
}
