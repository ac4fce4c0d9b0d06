import Foundation

/// What a program says to its user beside its results.
public enum StandardError {
  /// Whether it is shown on a terminal.
  public static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }

  /// Writes a line, over a progress bar if there is one.
  public static func write(_ line: String) {
    write(text: (isTerminal ? "\r\u{1B}[K" : "") + line + "\n")
  }

  static func write(text: String) {
    // Nobody is left to be told if this fails.
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
  }
}
