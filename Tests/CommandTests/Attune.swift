import Foundation
import Testing

/// The program itself, as a user runs it.
enum Attune {
  /// Beside this test bundle in the build's folder.
  static var path: String? {
    var folder = URL(filePath: CommandLine.arguments[0])
    if let executable = Bundle.allBundles.first(where: { $0.bundlePath.hasSuffix(".xctest") }) {
      folder = executable.bundleURL
    }
    let candidates = [folder.deletingLastPathComponent(), Bundle.main.bundleURL]
      .map { $0.appending(path: "attune").path }
    return candidates.first { FileManager.default.isExecutableFile(atPath: $0) }
  }

  /// Starts a command; both of its outputs go to a file.
  static func start(_ arguments: [String], in folder: URL, log: String = "log") throws -> Process {
    let process = Process()
    process.executableURL = URL(filePath: try #require(path, "no attune beside the tests"))
    process.arguments = arguments
    process.currentDirectoryURL = folder
    let output = folder.appending(path: log)
    try Data().write(to: output)
    let handle = try FileHandle(forWritingTo: output)
    process.standardOutput = handle
    process.standardError = handle
    try process.run()
    return process
  }

  /// Runs a command to its end and gives its status and everything that it wrote.
  @discardableResult
  static func run(
    _ arguments: [String], in folder: URL
  ) throws -> (status: Int32, output: String) {
    let process = try start(arguments, in: folder)
    process.waitUntilExit()
    let output = try String(contentsOf: folder.appending(path: "log"), encoding: .utf8)
    return (process.terminationStatus, output)
  }
}

/// A folder that is removed with its last user.
final class TemporaryFolder {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appending(path: "attune-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  /// Writes a text file.
  func write(_ text: String, to name: String) throws {
    try Data(text.utf8).write(to: url.appending(path: name))
  }

  /// The contents of a text file.
  func text(_ name: String) throws -> String {
    try String(contentsOf: url.appending(path: name), encoding: .utf8)
  }
}
