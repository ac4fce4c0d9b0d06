import Files
import Foundation
import Synchronization

/// Where what Python workers print goes.
public enum PythonWorkerLogs {
  /// Takes one line, from any thread.
  public typealias Sink = @Sendable (String) -> Void

  private struct State {
    var folder: String?
    var sink: Sink?
    var toldCount = 0
    var workerCount = 0
  }

  private static let state = Mutex(State())
  /// The first lines tell what there is to know; the rest is in the files.
  private static let toldLimit = 20

  /// Keeps what workers print from now on in `python-worker-N.log` of a folder, such as that of a
  /// run. Without a folder only the end of it is kept, and written when something goes wrong.
  public static func keep(in folder: String) { state.withLock { $0.folder = folder } }

  /// Keeps only the ends again.
  package static func keepInNoFolder() { state.withLock { $0.folder = nil } }

  /// Tells somebody the first lines that workers print.
  public static func send(to sink: @escaping Sink) { state.withLock { $0.sink = sink } }

  /// The number of another worker.
  static func nextNumber() -> Int {
    state.withLock { state in
      state.workerCount += 1
      return state.workerCount - 1
    }
  }

  static var folder: String? { state.withLock { $0.folder } }

  static func tell(_ line: String, worker: Int) {
    let told: (sink: Sink, isLast: Bool)? = state.withLock { state in
      guard let sink = state.sink, state.toldCount < toldLimit else { return nil }
      state.toldCount += 1
      return (sink, state.toldCount == toldLimit)
    }
    guard let told else { return }
    told.sink(
      "python worker \(worker): \(line.printable)" + (told.isLast ? " (no more is shown)" : ""))
  }
}

/// What one worker prints: lines that repeat are counted, and a file does not grow without end.
///
/// Its worker's lock guards it.
final class PythonWorkerLog {
  /// As in `python-worker-N.log`.
  let number = PythonWorkerLogs.nextNumber()
  private var line: [UInt8] = []
  private var lastLine: String?
  private var repetitions = 0
  private var file: FileHandle?
  private var byteCount = 0
  private var isFull = false

  private static let byteLimit = 16 << 20
  private static let lineLimit = 1 << 14

  deinit { try? file?.close() }

  /// Takes what was printed.
  func take(_ bytes: UnsafeRawBufferPointer) {
    for byte in bytes {
      if byte == UInt8(ascii: "\n") || line.count == Self.lineLimit { endLine() }
      if byte != UInt8(ascii: "\n") { line.append(byte) }
    }
  }

  private func endLine() {
    let text = String(decoding: line, as: UTF8.self)
    line.removeAll(keepingCapacity: true)
    if text == lastLine {
      repetitions += 1
      return
    }
    endRepetitions()
    lastLine = text
    if !text.allSatisfy(\.isWhitespace) { PythonWorkerLogs.tell(text, worker: number) }
    write(text)
  }

  private func endRepetitions() {
    if repetitions > 0 { write("(the last line \(repetitions) times more)") }
    repetitions = 0
  }

  /// Writes a line into the file of the folder, if there is one.
  private func write(_ text: String) {
    guard !isFull, let folder = PythonWorkerLogs.folder else { return }
    if file == nil { file = Self.open(path(in: folder)) }
    isFull = byteCount + text.utf8.count > Self.byteLimit
    append(isFull ? "(no more than \(Self.byteLimit >> 20) MiB are kept)" : text)
  }

  private func append(_ text: String) {
    byteCount += text.utf8.count + 1
    do {
      try file?.write(contentsOf: Data((text + "\n").utf8))
    } catch {
      file = nil  // A disk that is full is told by who needs what is written on it.
      isFull = true
    }
  }

  private static func open(_ path: String) -> FileHandle? {
    if !FileManager.default.fileExists(atPath: path) {
      _ = FileManager.default.createFile(
        atPath: path, contents: nil, attributes: [.posixPermissions: 0o644])
    }
    let file = FileHandle(forWritingAtPath: path)
    _ = try? file?.seekToEnd()
    return file
  }

  private func path(in folder: String) -> String {
    URL(filePath: folder).appending(path: "python-worker-\(number).log").path
  }

  /// Writes what is left where it can be read after a failure.
  ///
  /// - Parameter lastLines: the end of what was printed.
  /// - Returns: the file; nil if there is none.
  func finish(lastLines: [String]) -> String? {
    if !line.isEmpty { endLine() }
    endRepetitions()
    if let folder = PythonWorkerLogs.folder {
      if isFull { for line in lastLines { append(line) } }
      return file == nil ? nil : path(in: folder)
    }
    let path = FileManager.default.temporaryDirectory
      .appending(path: "attune-\(getpid())-python-worker-\(number).log").path
    // The end of what was said before stays: a worker may fail more than once.
    guard let file = Self.open(path) else { return nil }
    defer { try? file.close() }
    do { try file.write(contentsOf: Data((lastLines.joined(separator: "\n") + "\n").utf8)) } catch {
      return nil
    }
    return path
  }
}

#if THREAD_SANITIZER
  import Tensors

  /// In place of `Synchronization.Mutex`, which the thread sanitizer does not see.
  private typealias Mutex = SanitizedMutex
#endif
