import Foundation

/// A program that has been started; it is killed when its time is over or nobody waits for it.
public final class RunningProgram {
  /// The program did not end, or what was waited for did not happen, in time.
  public struct TimeOver: Error, CustomStringConvertible {
    /// What was run, and what it had said until then.
    public let description: String
  }

  private let words: [String]
  private let process = Process()
  /// Where its outputs go.
  private let outputs: TemporaryFolder
  private let deadline: ContinuousClock.Instant
  private let timeLimit: Double

  /// Starts a program.
  ///
  /// - Parameters:
  ///   - path: the program.
  ///   - arguments: its arguments.
  ///   - folder: where it runs; the tests' own folder unless given.
  ///   - limits: what the shell's `ulimit` is told, such as "-f 100".
  ///   - timeLimit: the seconds that it may take.
  public init(
    _ path: String, _ arguments: [String], in folder: TemporaryFolder? = nil,
    limits: [String] = [], timeLimit: Double = 600
  ) throws {
    words = [path] + arguments
    outputs = try TemporaryFolder()
    self.timeLimit = timeLimit
    deadline = .now + .seconds(timeLimit)
    if limits.isEmpty {
      process.executableURL = URL(filePath: path)
      process.arguments = arguments
    } else {
      let script = limits.map { "ulimit \($0) && " }.joined() + "exec \"$0\" \"$@\""
      process.executableURL = URL(filePath: "/bin/sh")
      process.arguments = ["-c", script, path] + arguments
    }
    if let folder { process.currentDirectoryURL = folder.url }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try Self.handle(outputs, "output")
    process.standardError = try Self.handle(outputs, "errors")
    try process.run()
  }

  deinit { if process.isRunning { send(SIGKILL) } }

  private static func handle(_ folder: TemporaryFolder, _ name: String) throws -> FileHandle {
    try folder.write("", to: name)
    return try FileHandle(forWritingTo: URL(filePath: folder.file(name)))
  }

  /// Whether it has not ended yet.
  public var isRunning: Bool { process.isRunning }

  /// The number of its process.
  public var identifier: Int32 { process.processIdentifier }

  /// What it has written on standard error so far.
  public var standardError: String {
    get throws { String(decoding: try outputs.bytes("errors"), as: UTF8.self) }
  }

  /// What it has written on standard output so far.
  public var standardOutput: String {
    get throws { String(decoding: try outputs.bytes("output"), as: UTF8.self) }
  }

  /// Sends it a signal.
  public func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

  /// Waits until something is so, or the program has ended.
  ///
  /// - Throws: `TimeOver`, after killing it, when its time is over.
  public func wait(until isSo: () throws -> Bool) throws {
    while process.isRunning, try !isSo() {
      guard ContinuousClock.now < deadline else {
        send(SIGKILL)
        process.waitUntilExit()
        throw TimeOver(
          description: "\(words.joined(separator: " ")): killed after \(timeLimit) s, having said: "
            + (try standardError))
      }
      usleep(500)
    }
  }

  /// Waits for its end.
  ///
  /// - Throws: `TimeOver`, after killing it, when its time is over.
  public func finish() throws -> ProgramOutcome {
    try wait { false }
    process.waitUntilExit()
    let hasExited = process.terminationReason == .exit
    return ProgramOutcome(
      status: hasExited ? process.terminationStatus : -process.terminationStatus,
      standardOutput: String(decoding: try outputs.bytes("output"), as: UTF8.self),
      standardError: try standardError)
  }
}

/// How a program ended and what it said.
public struct ProgramOutcome {
  /// Its exit status; the negative number of the signal that ended it.
  public let status: Int32
  /// All of its standard output.
  public let standardOutput: String
  /// All of its standard error.
  public let standardError: String

  /// Both.
  public var output: String { standardOutput + standardError }
  /// The lines that it said on standard error.
  public var lines: [Substring] { standardError.split(separator: "\n") }
}
