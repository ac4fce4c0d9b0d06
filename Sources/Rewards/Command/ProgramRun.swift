import CProgramBridge
import Glibc

/// One run of an external program in a process group of its own, which ends with it, as the program
/// does with this process.
struct ProgramRun {
  /// How it went.
  enum Outcome: Equatable {
    case status(Int32)
    case signal(Int32)
    case timedOut
    /// It wrote more than the limit.
    case tooMuchOutput
  }

  /// The program and its arguments.
  let words: [String]
  /// Where its standard output goes.
  let outputPath: String
  /// Where its standard error goes.
  let errorsPath: String
  /// In seconds.
  let timeLimit: Double
  /// The most bytes of either stream.
  var byteLimit = 1 << 26

  /// A program that the system does not start.
  struct LaunchFailure: Error {
    let reason: String
  }

  /// Runs it to its end. Whatever it started is killed then, unless it left the process group.
  func callAsFunction() throws(LaunchFailure) -> Outcome {
    let process = try launch()
    let end = ContinuousClock.now + .seconds(timeLimit)
    var pause: UInt32 = 500  // microseconds
    var early: Outcome?
    while !hasEnded(process) {
      if ContinuousClock.now >= end { early = .timedOut }
      if size(outputPath) > byteLimit || size(errorsPath) > byteLimit { early = .tooMuchOutput }
      if early != nil { break }
      usleep(pause)
      pause = min(20_000, pause * 2)
    }
    // The process itself is not reaped yet, so its group's number is still its own.
    kill(-process, SIGKILL)
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0, errno == EINTR {}
    if let early { return early }
    let signal = status & 0x7f
    return signal == 0 ? .status((status >> 8) & 0xff) : .signal(signal)
  }

  private func launch() throws(LaunchFailure) -> pid_t {
    var arguments = words.map { strdup($0) } + [nil]
    defer { for text in arguments { free(text) } }
    var process: pid_t = 0
    let result = attune_start_program(&arguments, outputPath, errorsPath, &process)
    guard result == 0 else { throw LaunchFailure(reason: String(cString: strerror(result))) }
    return process
  }

  /// Whether the process has ended; it stays to be reaped.
  private func hasEnded(_ process: pid_t) -> Bool {
    var information = siginfo_t()
    let result = waitid(P_PID, id_t(process), &information, WEXITED | WNOWAIT | WNOHANG)
    return result == 0 ? information.si_signo != 0 : errno != EINTR
  }

  private func size(_ path: String) -> Int {
    var information = stat()
    return stat(path, &information) == 0 ? Int(information.st_size) : 0
  }
}
