import Glibc
import Synchronization

/// Where warnings about broken simulations go.
public enum EnvironmentWarnings {
  private struct State {
    var printedCount = 0
    var silenceDepth = 0
  }

  private static let state = Mutex(State())
  /// A diverging run breaks thousands of episodes: the first ones tell all there is to know.
  private static let printLimit = 20

  /// Prints a warning on standard error, the first few of a program's life only.
  public static func print(_ warning: String) {
    let count: Int? = state.withLock { state in
      guard state.silenceDepth == 0, state.printedCount < printLimit else { return nil }
      state.printedCount += 1
      return state.printedCount
    }
    guard let count else { return }
    let ending = count == printLimit ? " (further warnings of this kind are not printed)" : ""
    let line = "warning: \(warning)\(ending)\n"
    _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
  }

  /// Prints none while numbers are broken on purpose.
  static func silently<Result>(_ body: () throws -> Result) rethrows -> Result {
    state.withLock { $0.silenceDepth += 1 }
    defer { state.withLock { $0.silenceDepth -= 1 } }
    return try body()
  }
}
