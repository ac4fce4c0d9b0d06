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
