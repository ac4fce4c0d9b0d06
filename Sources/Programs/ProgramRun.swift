import Glibc

/// One run of an external program in a process group of its own, which ends with it, as the program
/// does with this process.
package struct ProgramRun {
  /// How it went.
  package enum Outcome: Equatable {
    case status(Int32)
    case signal(Int32)
    case timedOut
    /// It wrote more than the limit.
    case tooMuchOutput
  }

  /// The program and its arguments.
  package let words: [String]
  /// Where its standard output goes.
  package let outputPath: String
  /// Where its standard error goes.
  package let errorsPath: String
  /// In seconds.
  package let timeLimit: Double
  /// The maximum number of bytes of either stream.
  package var byteLimit = 1 << 26

  /// A program that is not started yet, with nothing to read and its output in two files.
  package init(words: [String], outputPath: String, errorsPath: String, timeLimit: Double) {
    self.words = words
    self.outputPath = outputPath
    self.errorsPath = errorsPath
    self.timeLimit = timeLimit
  }

  /// Runs it to its end. Whatever it started is killed then, unless it left the process group.
  ///
  /// - Throws: `ProgramError` if it cannot be started.
  package func callAsFunction() throws(ProgramError) -> Outcome {
    let process = try launch()
    let end = ContinuousClock.now + .seconds(timeLimit)
    var early: Outcome?
    while !process.waitForEnd(within: 0.02) {
      if ContinuousClock.now >= end { early = .timedOut }
      if size(outputPath) > byteLimit || size(errorsPath) > byteLimit { early = .tooMuchOutput }
      if early != nil { break }
    }
    let ending = process.reap()
    if let early { return early }
    switch ending {
    case .status(let status): return .status(status)
    case .signal(let signal): return .signal(signal)
    }
  }

  private func launch() throws(ProgramError) -> LaunchedProcess {
    var streams: [Int32] = []
    defer { for stream in streams { close(stream) } }
    let written = O_WRONLY | O_CREAT | O_TRUNC
    for (path, flags) in [("/dev/null", O_RDONLY), (outputPath, written), (errorsPath, written)] {
      let stream = open(path, flags | O_CLOEXEC, 0o600)
      guard stream >= 0 else {
        throw ProgramError(
          .start, program: words,
          problem: "cannot be started: \(path): \(String(cString: strerror(errno)))")
      }
      streams.append(stream)
    }
    return try LaunchedProcess(words, streams: streams)
  }

  private func size(_ path: String) -> Int {
    var information = stat()
    return stat(path, &information) == 0 ? Int(information.st_size) : 0
  }
}
