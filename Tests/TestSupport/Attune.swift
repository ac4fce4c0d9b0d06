import Foundation

/// The program `attune`, as a user runs it.
public enum Attune {
  /// There is no program to run.
  public struct NotBuilt: Error, CustomStringConvertible {
    /// What to do.
    public var description: String { "no attune beside the tests; build with --build-tests" }
  }

  /// Beside the test bundle in the build's folder.
  public static var path: String {
    get throws {
      var folder = URL(filePath: CommandLine.arguments[0])
      if let executable = Bundle.allBundles.first(where: { $0.bundlePath.hasSuffix(".xctest") }) {
        folder = executable.bundleURL
      }
      let candidates = [folder.deletingLastPathComponent(), Bundle.main.bundleURL]
        .map { $0.appending(path: "attune").path }
      guard
        let path = candidates.first(where: { FileManager.default.isExecutableFile(atPath: $0) })
      else { throw NotBuilt() }
      return path
    }
  }

  /// Starts a command, for tests that disturb it.
  public static func start(
    _ arguments: [String], in folder: TemporaryFolder? = nil, limits: [String] = [],
    timeLimit: Double = 600
  ) throws -> RunningProgram {
    try RunningProgram(
      try path, arguments, in: folder, limits: limits, timeLimit: timeLimit)
  }

  /// Runs a command to its end.
  @discardableResult
  public static func run(
    _ arguments: [String], in folder: TemporaryFolder? = nil, limits: [String] = [],
    timeLimit: Double = 600
  ) throws -> ProgramOutcome {
    try start(arguments, in: folder, limits: limits, timeLimit: timeLimit).finish()
  }
}
