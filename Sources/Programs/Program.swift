import CProgramBridge
import Glibc

/// A program that runs beside this one and is talked to: it reads requests on its standard input
/// and answers on its standard output.
///
/// It has a process group of its own, is started without a shell, and ends with this process. What
/// it writes on standard error is read while an answer is waited for, and its end is kept for
/// errors. One thread at a time may talk to it.
public final class Program {
  /// The program and its arguments.
  public let words: [String]
  private let process: LaunchedProcess
  /// This side of its standard input: a socket, since writing to a pipe that nobody reads would
  /// raise a signal.
  private let input: Int32
  private let output: Int32
  private let errors: Int32
  /// Answers that have come and not been taken.
  private var received: [UInt8] = []
  private var outputHasEnded = false
  private var errorsHaveEnded = false
  /// The end of what it wrote on standard error.
  private var said: [UInt8] = []
  /// Set once it has been reaped.
  private var failure: ProgramError?

  /// The maximum number of bytes of an answer.
  private static let byteLimit = 1 << 28
  /// The maximum number of bytes of standard error that are kept.
  private static let saidLimit = 1 << 16

  /// A signal that a program which does not answer in time gets before it is killed, so that it can
  /// tell where it hangs.
  private let hangSignal: Int32?
  /// Sees what it writes on standard error, as it is read.
  private let onErrors: ((UnsafeRawBufferPointer) -> Void)?

  /// Starts a program.
  ///
  /// - Parameters:
  ///   - words: the program, looked for in PATH, and its arguments.
  ///   - memory: what it finds as its descriptor 3.
  ///   - hangSignal: sent two seconds before it is killed, if it does not answer in time.
  ///   - onErrors: sees what it writes on standard error, as it is read.
  /// - Throws: `ProgramError` if the system does not start it.
  public init(
    _ words: [String], memory: SharedMemory? = nil, hangSignal: Int32? = nil,
    onErrors: ((UnsafeRawBufferPointer) -> Void)? = nil
  ) throws(ProgramError) {
    self.words = words
    self.hangSignal = hangSignal
    self.onErrors = onErrors
    var opened: [Int32] = []
    func open(_ make: (UnsafeMutablePointer<Int32>) -> Int32) throws(ProgramError) -> [Int32] {
      var pair: [Int32] = [-1, -1]
      guard make(&pair) == 0 else {
        let reason = String(cString: strerror(errno))
        for descriptor in opened { close(descriptor) }
        throw ProgramError(.start, program: words, problem: "cannot be started: \(reason)")
      }
      opened += pair
      return pair
    }
    let stream = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    let requests = try open { socketpair(AF_UNIX, stream, 0, $0) }
    let answers = try open { attune_make_pipe($0) }
    let complaints = try open { attune_make_pipe($0) }
    (input, output, errors) = (requests[1], answers[0], complaints[0])
    defer { for descriptor in [requests[0], answers[1], complaints[1]] { close(descriptor) } }
    do throws(ProgramError) {
      let streams = [requests[0], answers[1], complaints[1]]
      process = try LaunchedProcess(
        words, streams: streams + (memory.map { [$0.descriptor] } ?? []))
    } catch {
      for descriptor in [input, output, errors] { close(descriptor) }
      throw error
    }
    for descriptor in [input, output, errors] {
      _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    }
  }

  deinit {
    end()
    for descriptor in [output, errors] { close(descriptor) }
  }

  /// Ends the program: its input ends, and what does not leave within `seconds` is killed.
  public func end(within seconds: Double = 1) {
    guard failure == nil else { return }
    shutdown(input, Int32(SHUT_WR))
    _ = process.waitForEnd(within: seconds)
    process.reap()
    close(input)
    failure = ProgramError(.output, program: words, problem: "was ended by the one who asks it")
  }

  /// Whether it can still be talked to, as far as is known.
  public var isRunning: Bool { failure == nil && !process.hasEnded }

  /// Writes a line.
  ///
  /// - Throws: `ProgramError` if the program has ended or does not read it in time.
  public func send(line: String, within seconds: Double = 60) throws(ProgramError) {
    try send(Array((line + "\n").utf8), within: seconds)
  }

  /// Writes bytes.
  ///
  /// - Throws: `ProgramError` if the program has ended or does not read them in time.
  public func send(_ bytes: [UInt8], within seconds: Double = 60) throws(ProgramError) {
    var rest = bytes[...]
    try wait(
      within: seconds, doing: "read what was sent",
      writing: { [input] in
        while !rest.isEmpty {
          let count = rest.withUnsafeBytes {
            Glibc.send(input, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
          }
          guard count > 0 else { return count < 0 && [EAGAIN, EINTR].contains(errno) }
          rest = rest.dropFirst(count)
        }
        return true
      }, until: { rest.isEmpty })
  }

  /// Reads a line of an answer, without its end.
  ///
  /// - Throws: `ProgramError` if the program ends, or does not answer in time.
  public func receiveLine(within seconds: Double = 60) throws(ProgramError) -> String {
    var searched = 0
    var end: Int?
    try wait(within: seconds, doing: "answer") {
      end = self.received[searched...].firstIndex(of: UInt8(ascii: "\n"))
      searched = self.received.count
      return end != nil
    }
    let line = String(decoding: received[..<(end ?? 0)], as: UTF8.self)
    received.removeFirst((end ?? 0) + 1)
    return line
  }

  /// Reads as many bytes of an answer.
  ///
  /// - Throws: `ProgramError` if the program ends, or does not answer in time.
  public func receive(byteCount: Int, within seconds: Double = 60) throws(ProgramError) -> [UInt8] {
    try wait(within: seconds, doing: "answer") { self.received.count >= byteCount }
    let bytes = Array(received[..<byteCount])
    received.removeFirst(byteCount)
    return bytes
  }

  /// Reads both of its outputs, and writes where there is something to write, until a condition
  /// holds.
  private func wait(
    within seconds: Double, doing action: String, writing: (() -> Bool)? = nil,
    until isDone: () -> Bool
  ) throws(ProgramError) {
    if let failure { throw failure }
    let end = ContinuousClock.now + .seconds(seconds)
    while !isDone() {
      if outputHasEnded { throw ended() }
      if received.count > Self.byteLimit {
        throw killed(.output, "wrote more than \(Self.byteLimit >> 20) MiB")
      }
      let remaining = (end - ContinuousClock.now) / .milliseconds(1)
      guard remaining > 0 else {
        askWhereItHangs()
        throw killed(.timeOut, "did not \(action) within \(seconds) s and was killed")
      }
      var waiting = [
        pollfd(fd: output, events: Int16(POLLIN), revents: 0),
        // A negative one is passed over: one that has ended is always ready.
        pollfd(fd: errorsHaveEnded ? -1 : errors, events: Int16(POLLIN), revents: 0),
      ]
      if writing != nil { waiting.append(pollfd(fd: input, events: Int16(POLLOUT), revents: 0)) }
      poll(&waiting, nfds_t(waiting.count), Int32(min(remaining.rounded(.up), 1e9)))
      readErrors()
      readOutput()
      // What it still said is read before it is asked how it ended.
      if let writing, waiting[2].revents != 0, !writing() { throw ended() }
    }
  }

  private func readOutput() {
    let isOpen = Self.read(output) { received += $0 }
    outputHasEnded = outputHasEnded || !isOpen
  }

  /// Reads what it has written on standard error by now.
  public func readErrors() {
    let isOpen = Self.read(errors) { bytes in
      onErrors?(bytes)
      said += bytes
      if said.count > Self.saidLimit { said.removeFirst(said.count - Self.saidLimit) }
    }
    errorsHaveEnded = errorsHaveEnded || !isOpen
  }

  /// Takes what is there; returns whether more may come.
  private static func read(
    _ descriptor: Int32, _ take: (UnsafeRawBufferPointer) -> Void
  ) -> Bool {
    withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 16) { buffer in
      while true {
        let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
        if count > 0 {
          take(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        } else if count == 0 || errno != EINTR {
          return count < 0 && errno == EAGAIN
        }
      }
    }
  }

  /// How it ended; it is killed if it only closed a stream.
  private func ended() -> ProgramError {
    guard process.waitForEnd(within: 2) else {
      let stream = outputHasEnded ? "output" : "input"
      return killed(.output, "closed its standard \(stream) and was killed")
    }
    switch process.reap() {
    case .status(let status): return fail(.status(status), "ended with status \(status)")
    case .signal(let signal):
      let name = strsignal(signal).map { String(cString: $0) } ?? "unknown"
      return fail(.signal(signal), "was ended by signal \(signal) (\(name))")
    }
  }

  /// Lets it say where it hangs.
  private func askWhereItHangs() {
    guard let hangSignal else { return }
    kill(process.identifier, hangSignal)
    _ = process.waitForEnd(within: 2)
  }

  private func killed(_ kind: ProgramError.Kind, _ problem: String) -> ProgramError {
    process.reap()
    return fail(kind, problem)
  }

  /// The last lines that it wrote on standard error, without empty ones.
  public var lastLines: [String] {
    String(decoding: said, as: UTF8.self).split(whereSeparator: \.isNewline)
      .filter { !$0.allSatisfy(\.isWhitespace) }.map(String.init)
  }

  /// Keeps why it is gone: whoever asks again is told the same.
  private func fail(_ kind: ProgramError.Kind, _ problem: String) -> ProgramError {
    readErrors()
    close(input)
    let text = lastLines.suffix(5).joined(separator: " | ")
    let error = ProgramError(
      kind, program: words, problem: problem,
      said: text.count > 500 ? "..." + text.suffix(500) : text)
    failure = error
    return error
  }
}
