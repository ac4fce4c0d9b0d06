import Glibc
import Synchronization

/// Where warnings about broken simulations go.
public enum EnvironmentWarnings {
  /// Takes one line, from any thread.
  public typealias Sink = @Sendable (String) -> Void

  private struct State {
    var sink: Sink = EnvironmentWarnings.writeToStandardError
    var printedCount = 0
    var silenceDepth = 0
  }

  private static let state = Mutex(State())
  /// A diverging run breaks thousands of episodes: the first ones tell all there is to know.
  private static let printLimit = 20

  /// Sends all later warnings to `sink` instead of standard error, so that a program that draws a
  /// progress bar or was asked to be quiet decides what becomes of them.
  public static func send(to sink: @escaping Sink) { state.withLock { $0.sink = sink } }

  /// Prints a warning, the first few of a program's life only.
  public static func print(_ warning: String) {
    let printed: (sink: Sink, isLast: Bool)? = state.withLock { state in
      guard state.silenceDepth == 0, state.printedCount < printLimit else { return nil }
      state.printedCount += 1
      return (state.sink, state.printedCount == printLimit)
    }
    guard let printed else { return }
    printed.sink(
      warning + (printed.isLast ? " (further warnings of this kind are not printed)" : ""))
  }

  private static func writeToStandardError(_ warning: String) {
    _ = "warning: \(warning)\n".withCString { write(STDERR_FILENO, $0, strlen($0)) }
  }

  /// Prints none while numbers are broken on purpose.
  static func silently<Result>(_ body: () throws -> Result) rethrows -> Result {
    state.withLock { $0.silenceDepth += 1 }
    defer { state.withLock { $0.silenceDepth -= 1 } }
    return try body()
  }
}
