import Files

/// Captioned images that cannot be used: the file, the row in it, what was found and what to do.
public struct CaptionedDataError: Error, Equatable, CustomStringConvertible {
  /// The file or folder, or the name of the settings.
  public let file: String
  /// The line in that file, from 1.
  public let row: Int?
  /// What was found, and what was expected.
  public let problem: String
  /// What to do next.
  public let advice: String?

  /// Describes a failure; texts taken from the file may be hostile, `description` escapes them.
  public init(file: String, row: Int? = nil, problem: String, advice: String? = nil) {
    self.file = file
    self.row = row
    self.problem = problem
    self.advice = advice
  }

  /// One line: `file: row 3: problem; advice`.
  public var description: String {
    var text = file.printable
    if let row { text += ": row \(row)" }
    text += ": \(problem.printable)"
    if let advice { text += "; \(advice.printable)" }
    return text
  }
}
