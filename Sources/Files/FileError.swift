import Configuration

/// Why a file could not be read or written: the file, the item in it, what was found and what to
/// do.
public struct FileError: Error, Sendable, CustomStringConvertible {
  /// What kind of failure it is, for programs that decide by it.
  public enum Kind: Sendable, Equatable {
    /// The system refused: no such file, no permission, disk full.
    case system
    /// The file ends before what it announces.
    case truncated
    /// The file contradicts itself or its format.
    case malformed
    /// The file is valid, but uses something that Attune does not read.
    case unsupported
    /// The file asks for more than a limit allows.
    case tooLarge
    /// What was asked for is not in the file.
    case missing
  }

  /// What kind of failure it is.
  public let kind: Kind
  /// The path as it was given.
  public let path: String
  /// The tensor, key or member that the failure is about.
  public let item: String?
  /// What was found, and what was expected.
  public let problem: String
  /// What to do next.
  public let advice: String?
  /// What the operating system said, in its words; nil if it was not the one that refused.
  var systemMessage: String?

  /// Describes a failure; texts taken from the file may be hostile, `description` escapes them.
  public init(
    _ kind: Kind, path: String, item: String? = nil, problem: String, advice: String? = nil
  ) {
    self.kind = kind
    self.path = path
    self.item = item
    self.problem = problem
    self.advice = advice
  }

  /// The reason alone, for errors that say by themselves which file could not be written.
  package var reason: String {
    if let systemMessage { return systemMessage }
    return "it \(problem)" + (advice.map { "; \($0)" } ?? "")
  }

  /// One line: `path: 'item': problem; advice`.
  public var description: String {
    var text = path.printable
    if let item { text += ": '\(item.printable)'" }
    text += ": \(problem.printable)"
    if let advice { text += "; \(advice.printable)" }
    return text
  }
}
