/// A whole file of text.
public enum TextFile {
  /// Reads a file that must be UTF-8.
  ///
  /// - Throws: `FileError` if it cannot be read or is not UTF-8.
  public static func read(path: String) throws(FileError) -> String {
    let bytes = try MappedFile.bytes(path: path)
    guard let text = bytes.withUnsafeBytes({ String(validating: $0, as: UTF8.self) }) else {
      throw FileError(
        .malformed, path: path, problem: "is not text in UTF-8", advice: "name a text file")
    }
    return text
  }
}
