import CProgramBridge
import Dispatch
import Files
import Foundation
import Glibc
import Synchronization

/// A program that did not do what was asked of it: which one, what happened and what it said.
public struct ProgramError: Error, Equatable, CustomStringConvertible {
  /// What kind of failure it is, for callers that decide by it.
  public enum Kind: Equatable, Sendable {
    /// The system does not start it.
    case start
    /// It ended with a status.
    case status(Int32)
    /// It was ended by a signal.
    case signal(Int32)
    /// It did not answer in time.
    case timeOut
    /// It wrote something else than it should.
    case output
  }

  /// What kind of failure it is.
  public let kind: Kind
  /// The program and its arguments.
  public let program: String
  /// What happened.
  public let problem: String
  /// The last lines of its standard error; empty if there were none.
  public let said: String

  /// Describes a failure; texts from elsewhere may be hostile, `description` escapes them.
  public init(_ kind: Kind, program: [String], problem: String, said: String = "") {
    self.kind = kind
    self.program = program.joined(separator: " ")
    self.problem = problem
    self.said = said
  }

  /// One line: `program 'name' problem; it said: ...`.
  public var description: String {
    let text = "program '\(program.printable)' \(problem.printable)"
    return said.isEmpty ? text : text + "; it said: \(said.printable)"
  }
}

/// How a process ended.
enum ProcessEnd: Equatable {
  case status(Int32)
  case signal(Int32)

  /// Reads what `waitpid` gave.
  init(waitStatus: Int32) {
    let signal = waitStatus & 0x7f
    self = signal == 0 ? .status((waitStatus >> 8) & 0xff) : .signal(signal)
  }
}

/// A process in a process group of its own, which ends with this process.
struct LaunchedProcess {
  /// The process and its group.
  let identifier: pid_t

  /// Starts a program.
  ///
  /// - Parameters:
  ///   - words: the program, looked for in PATH, and its arguments.
  ///   - streams: what become its standard input, output and error, and the descriptors after them;
  ///     the caller closes its own.
  /// - Throws: `ProgramError` if the system does not start it.
  init(_ words: [String], streams: [Int32]) throws(ProgramError) {
    precondition(!words.isEmpty && streams.count >= 3, "\(words), \(streams.count) streams")
    let (result, process) = LaunchThread.shared.run {
      var arguments = words.map { strdup($0) } + [nil]
      defer { for text in arguments { free(text) } }
      var process: pid_t = 0
      let result = attune_start_program(
        &arguments, streams, Int32(streams.count), &process)
      return (result, process)
    }
    guard result == 0 else {
      throw ProgramError(
        .start, program: words, problem: "cannot be started: \(String(cString: strerror(result)))")
    }
    identifier = process
  }

  /// Whether the process has ended; it stays to be reaped.
  var hasEnded: Bool {
    var information = siginfo_t()
    let result = waitid(P_PID, id_t(identifier), &information, WEXITED | WNOWAIT | WNOHANG)
    return result == 0 ? information.si_signo != 0 : errno != EINTR
  }

  /// Waits until it has ended.
  ///
  /// - Returns: whether it did within some seconds.
  func waitForEnd(within seconds: Double) -> Bool {
    let end = ContinuousClock.now + .seconds(seconds)
    var pause: UInt32 = 200  // microseconds
    while !hasEnded {
      if ContinuousClock.now >= end { return false }
      usleep(pause)
      pause = min(20_000, pause * 2)
    }
    return true
  }

  /// Kills what is left of its group and reaps it.
  @discardableResult
  func reap() -> ProcessEnd {
    // The process itself is not reaped yet, so its group's number is still its own.
    kill(-identifier, SIGKILL)
    var status: Int32 = 0
    while waitpid(identifier, &status, 0) < 0, errno == EINTR {}
    return ProcessEnd(waitStatus: status)
  }
}

/// A thread that lives as long as this process: a program is killed when the thread that started it
/// ends, and threads that serve tasks come and go.
private final class LaunchThread: Sendable {
  static let shared = LaunchThread()

  private let waiting = Mutex<[@Sendable () -> Void]>([])
  private let arrived = DispatchSemaphore(value: 0)

  private init() {
    Thread.detachNewThread { [self] in
      while true {
        arrived.wait()
        let next = waiting.withLock { $0.removeFirst() }
        next()
      }
    }
  }

  private final class Answer<Value: Sendable>: Sendable {
    let value = Mutex<Value?>(nil)
    let isThere = DispatchSemaphore(value: 0)
  }

  /// What a body gives that runs on this thread.
  func run<Value: Sendable>(_ body: @escaping @Sendable () -> Value) -> Value {
    let answer = Answer<Value>()
    waiting.withLock {
      $0.append {
        let value = body()
        answer.value.withLock { $0 = value }
        answer.isThere.signal()
      }
    }
    arrived.signal()
    answer.isThere.wait()
    guard let value = answer.value.withLock({ $0 }) else {
      preconditionFailure("a launch ended without an answer")
    }
    return value
  }
}
