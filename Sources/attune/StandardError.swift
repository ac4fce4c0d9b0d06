import Foundation

/// What the program says to the user beside its results.
enum StandardError {
  /// Writes a line.
  static func write(_ line: String) {
    // Nobody is left to be told if this fails.
    try? FileHandle.standardError.write(contentsOf: Data("\(line)\n".utf8))
  }
}
