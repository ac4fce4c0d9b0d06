import Foundation

/// The interpreter that `ATTUNE_PYTHON` names, for tests against the Python packages themselves.
public struct Python: Sendable {
  private let interpreter: String

  /// What it printed when it failed.
  public struct Failure: Error, CustomStringConvertible {
    /// The end of its errors.
    public let description: String
  }

  /// Nil, with a printed reason, where there is none with the packages.
  public init?(with packages: [String], for test: String) {
    guard let interpreter = ProcessInfo.processInfo.environment["ATTUNE_PYTHON"] else {
      print("skipped: \(test): ATTUNE_PYTHON does not name a Python interpreter")
      return nil
    }
    self.interpreter = interpreter
    do {
      _ = try run(
        "import sys, importlib.util as u; assert all(u.find_spec(p) for p in sys.argv[1:])",
        packages)
    } catch {
      print("skipped: \(test): \(interpreter) lacks one of \(packages.joined(separator: ", "))")
      return nil
    }
  }

  /// Runs a program and gives what it prints.
  public func run(_ program: String, _ arguments: [String] = []) throws -> String {
    let process = Process()
    process.executableURL = URL(filePath: interpreter)
    process.arguments = ["-c", program] + arguments
    let (output, errors) = (Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    // Errors are few enough to wait in their pipe.
    let printed = output.fileHandleForReading.readDataToEndOfFile()
    let complaint = errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw Failure(description: String(decoding: complaint.suffix(2_000), as: UTF8.self))
    }
    return String(decoding: printed, as: UTF8.self)
  }
}
