import Environments
import Foundation

/// What one worker prints: lines that repeat are counted, and a file does not grow without end.
///
/// Its worker's lock guards it.
final class PythonWorkerLog {
  private let name = "python-worker-\(EnvironmentLogs.nextNumber())"
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
    if !text.allSatisfy(\.isWhitespace) { EnvironmentLogs.tell(text, from: name) }
    write(text)
  }

  private func endRepetitions() {
    if repetitions > 0 { write("(the last line \(repetitions) times more)") }
    repetitions = 0
  }

  /// Writes a line into the file of the folder, if there is one.
  private func write(_ text: String) {
    guard !isFull, let folder = EnvironmentLogs.folder else { return }
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
    URL(filePath: folder).appending(path: "\(name).log").path
  }

  /// Writes what is left where it can be read after a failure.
  ///
  /// - Parameter lastLines: the end of what was printed.
  /// - Returns: the file; nil if there is none.
  func finish(lastLines: [String]) -> String? {
    if !line.isEmpty { endLine() }
    endRepetitions()
    if let folder = EnvironmentLogs.folder {
      // What was said before there was a folder, or after the file was full, is not in it yet.
      let path = path(in: folder)
      let lacksLines = isFull || file == nil
      if file == nil { file = Self.open(path) }
      // A folder may have been removed since.
      if file != nil {
        if lacksLines { for line in lastLines { append(line) } }
        return path
      }
    }
    let path = FileManager.default.temporaryDirectory
      .appending(path: "attune-\(getpid())-\(name).log").path
    // The end of what was said before stays: a worker may fail more than once.
    guard let file = Self.open(path) else { return nil }
    defer { try? file.close() }
    do { try file.write(contentsOf: Data((lastLines.joined(separator: "\n") + "\n").utf8)) } catch {
      return nil
    }
    return path
  }
}
