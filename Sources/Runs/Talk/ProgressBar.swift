import Files
import Foundation
import Synchronization

/// A progress bar with rate and time left on a terminal, plain lines now and then elsewhere.
public struct ProgressBar {
  private let label: String
  private let total: Int
  private let unit: String
  private let isQuiet: Bool
  private let isTerminal: Bool
  private let write: (String) -> Void
  private let alreadyDone: Int
  private let start = ContinuousClock.now
  private var lastLine = ContinuousClock.now - .seconds(60)
  /// How often a line is written where it cannot be written over.
  private static let lineInterval = Duration.seconds(10)
  private static let barWidth = 30

  /// Makes a bar; nothing is shown before the first update.
  ///
  /// - Parameters:
  ///   - label: what is going on, as in "finetune".
  ///   - total: how many units there are.
  ///   - alreadyDone: how many were done before, in a run that is resumed; they do not count in the
  ///     rate.
  ///   - unit: what is counted, in the singular.
  ///   - isQuiet: whether nothing is shown.
  public init(
    _ label: String, total: Int, alreadyDone: Int = 0, unit: String, isQuiet: Bool
  ) {
    self.init(
      label, total: total, alreadyDone: alreadyDone, unit: unit, isQuiet: isQuiet,
      isTerminal: StandardError.isTerminal, write: StandardError.write(text:))
  }

  init(
    _ label: String, total: Int, alreadyDone: Int, unit: String, isQuiet: Bool, isTerminal: Bool,
    write: @escaping (String) -> Void
  ) {
    self.label = label
    self.total = total
    self.alreadyDone = alreadyDone
    self.unit = unit
    self.isQuiet = isQuiet
    self.isTerminal = isTerminal
    self.write = write
  }

  /// Shows that `done` of the total are done, with a few words on how it goes.
  public mutating func update(_ done: Int, note: String = "") {
    guard !isQuiet else { return }
    let now = ContinuousClock.now
    let isLast = done == total
    guard isTerminal || isLast || now - lastLine >= Self.lineInterval else { return }
    lastLine = now
    let elapsed = (now - start) / .seconds(1)
    let rate = Double(done - alreadyDone) / max(elapsed, 1e-9)
    let left = rate > 0 ? Double(total - done) / rate : .infinity
    let numbers =
      "\(done.grouped)/\(total.grouped) \(unit.plural), \(Self.text(rate)) \(unit.plural)/s, "
      + (isLast ? "took \(TimeText.rounded(elapsed))" : "\(TimeText.rounded(left)) left")
      + (note.isEmpty ? "" : ", \(note)")
    guard isTerminal else { return write("\(label): \(numbers)\n") }
    let filled = min(Self.barWidth, Self.barWidth * done / max(total, 1))
    let bar =
      String(repeating: "#", count: filled)
      + String(repeating: ".", count: Self.barWidth - filled)
    // Back to the start of the line, and clear what an earlier, longer one left.
    write("\r\(label) [\(bar)] \(numbers)\u{1B}[K\(isLast ? "\n" : "")")
  }

  /// Two digits at least: slow work is counted in hundredths.
  private static func text(_ rate: Double) -> String {
    if rate >= 100 { return rate < 1e15 ? Int(rate).grouped : "many" }
    let hundredths = Int((rate * 100).rounded())
    if rate >= 1 { return "\(hundredths / 100).\(hundredths % 100 / 10)" }
    return "0.\(hundredths < 10 ? "0" : "")\(hundredths)"
  }
}

/// What a run says on standard error.
public struct RunLog: Sendable {
  /// Whether only warnings are said.
  public let isQuiet: Bool
  private let write: @Sendable (String) -> Void

  /// Makes a log that writes lines to standard error, or where `write` says.
  public init(
    isQuiet: Bool = false, write: @escaping @Sendable (String) -> Void = { StandardError.write($0) }
  ) {
    self.isQuiet = isQuiet
    self.write = write
  }

  /// Says a line, unless the run is quiet.
  public func info(_ line: String) {
    if !isQuiet { write(line) }
  }

  /// Says a line that matters even to those who want quiet.
  public func warn(_ line: String) { write("attune: warning: \(line)") }
}

/// What a program says to its user beside its results.
public enum StandardError {
  /// Whether it is shown on a terminal.
  public static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }

  private static let isSilent = Atomic<Bool>(false)

  /// Says nothing more: of several processes, one speaks.
  public static func silence() { isSilent.store(true, ordering: .relaxed) }

  /// Writes a line or several, over a progress bar if there is one; control characters in them,
  /// which come from file names and arguments, are escaped.
  public static func write(_ lines: String) {
    let shown = lines.split(separator: "\n", omittingEmptySubsequences: false)
      .map { String($0).printable }.joined(separator: "\n")
    write(text: (isTerminal ? "\r\u{1B}[K" : "") + shown + "\n")
  }

  static func write(text: String) {
    guard !isSilent.load(ordering: .relaxed) else { return }
    writeAnyway(text)
  }

  /// Writes the last words of a process that is to be silent otherwise.
  public static func writeLast(_ line: String) { writeAnyway(line.printable + "\n") }

  private static func writeAnyway(_ text: String) {
    // Nobody is left to be told if this fails.
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
  }
}
