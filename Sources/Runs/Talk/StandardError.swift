import Files
import Foundation

/// What a program says to its user beside its results.
public enum StandardError {
  /// Whether it is shown on a terminal.
  public static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }

  /// Writes a line or several, over a progress bar if there is one; control characters in them,
  /// which come from file names and arguments, are escaped.
  public static func write(_ lines: String) {
    let shown = lines.split(separator: "\n", omittingEmptySubsequences: false)
      .map { String($0).printable }.joined(separator: "\n")
    write(text: (isTerminal ? "\r\u{1B}[K" : "") + shown + "\n")
  }

  static func write(text: String) {
    // Nobody is left to be told if this fails.
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
  }
}
