import Files

/// A text file of prompts, one a line; empty lines and those that begin with # are left out.
struct PromptFile {
  let prompts: [String]

  /// - Throws: `FileError` if it cannot be read, is no text, or has no prompt in it.
  init(_ path: String) throws {
    prompts = try TextFile.lines(path: path)
      .map { $0.trimmingPrefix(while: \.isWhitespace) }
      .filter { !$0.isEmpty && !$0.hasPrefix("#") }
      .map(String.init)
    guard !prompts.isEmpty else {
      throw FileError(
        .missing, path: path, problem: "has no prompts", advice: "write one a line")
    }
  }
}
