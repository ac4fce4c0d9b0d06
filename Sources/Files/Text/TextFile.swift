/// A whole file of text.
public enum TextFile {
  private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
  private static let utf16Marks: [[UInt8]] = [[0xFF, 0xFE], [0xFE, 0xFF]]

  /// Reads a file that must be UTF-8; a byte order mark at its start is left out.
  ///
  /// - Throws: `FileError` if it cannot be read or is not UTF-8.
  public static func read(path: String) throws(FileError) -> String {
    let bytes = withoutMark(try MappedFile.bytes(path: path))
    guard let text = bytes.validText else {
      let isUTF16 = utf16Marks.contains { bytes.matches($0) }
      throw FileError(
        .malformed, path: path, problem: "is not text in UTF-8",
        advice: isUTF16 ? "it is in UTF-16: save it in UTF-8" : "name a text file")
    }
    return text
  }

  /// Reads the lines of a file that must be UTF-8, without their ends: `\n`, `\r\n` or `\r`. The
  /// last line needs none, and after the last end there is no further, empty line.
  ///
  /// - Throws: `FileError` if it cannot be read or is not UTF-8.
  public static func lines(path: String) throws(FileError) -> [Substring] {
    lines(of: try read(path: path))
  }

  /// The lines of a text, without their ends, as `lines(path:)` gives them.
  public static func lines(of text: String) -> [Substring] {
    // In Swift "\r\n" is one character, other than "\n", so that splitting at "\n" is not enough.
    var lines = text.split(omittingEmptySubsequences: false) {
      $0 == "\n" || $0 == "\r\n" || $0 == "\r"
    }
    if lines.last?.isEmpty == true { lines.removeLast() }
    return lines
  }

  /// The bytes behind a byte order mark, if there is one.
  static func withoutMark(_ bytes: Bytes) -> Bytes {
    bytes.matches(byteOrderMark) ? bytes[byteOrderMark.count..<bytes.count] : bytes
  }
}

extension String {
  /// What precedes the last slash of a path; `.` if there is none.
  var folder: String {
    guard let slash = lastIndex(of: "/") else { return "." }
    return slash == startIndex ? "/" : String(self[..<slash])
  }

  /// What follows the last slash of a path.
  var lastPathComponent: String {
    lastIndex(of: "/").map { String(self[index(after: $0)...]) } ?? self
  }
}
