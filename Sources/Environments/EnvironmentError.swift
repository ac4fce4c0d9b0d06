import Files
import Glibc
import Synchronization

/// What can be wrong with an environment that a user asked for.
public enum EnvironmentError: Error, Equatable {
  /// No environment is registered under that name.
  case unknownEnvironment(name: String, nearest: String?, known: [String])
  /// No environments are found by that prefix, as `gymnasium` in `gymnasium:Ant-v5`.
  case unknownPrefix(name: String, prefix: String, nearest: String?, known: [String])
  /// A file names an environment that is a program of this machine, and nobody else does.
  case unconfirmed(environment: String, key: String)
  /// A saved state belongs to another kind of environment, or is damaged.
  case stateMismatch(layer: String)
  /// An episode that was saved as its actions came to another state when they were replayed.
  case replayDiffers(environment: String, stepCount: Int)
  /// The environment cannot go on: the program that it runs in died, say.
  case failed(environment: String, doing: String, reason: String)
  /// What chooses actions in an environment cannot go on.
  case expertFailed(expert: String, doing: String, reason: String)
  /// The environment cannot draw an image.
  case renderingUnavailable(environment: String, reason: String)
  /// A simulator refused a model.
  case badModel(environment: String, reason: String)
}

extension EnvironmentError {
  /// An episode was lost in a step, where nobody can go on without it.
  package static func lost(_ environment: String, step: Int) -> EnvironmentError {
    .failed(
      environment: environment, doing: "play an episode",
      reason: "what it runs in ended at step \(step); play the episode again")
  }
}

extension EnvironmentError: CustomStringConvertible {
  /// What is wrong, what was expected, and the nearest name if there is one.
  public var description: String {
    switch self {
    case .unknownEnvironment(let name, let nearest, let known):
      return "no environment is called '\(name)'\(suggestion(nearest)); "
        + "known: \(known.joined(separator: ", "))"
    case .unknownPrefix(let name, let prefix, let nearest, let known):
      return "no environments are found by '\(prefix):', as in '\(name)'\(suggestion(nearest)); "
        + (known.isEmpty
          ? "there are no prefixes: name an environment of 'attune environment list'"
          : "known: \(known.map { "\($0):" }.joined(separator: ", "))")
    case .unconfirmed(let environment, let key):
      return "the checkpoint's environment '\(environment.printable)' runs programs of this "
        + "machine, which a file alone must not start: if you trust it, repeat its name with "
        + "\(key), and with its parameters the Python that it is to use"
    case .stateMismatch(let layer):
      return "a saved state does not fit \(layer): it was saved by another kind of environment "
        + "or is damaged; restore it into an environment made with the same name and parameters"
    case .replayDiffers(let environment, let stepCount):
      return "environment \(environment) came to another state when the \(stepCount) steps of its "
        + "saved episode were replayed: it is another version, or its seed and actions do not "
        + "decide it; begin every iteration with new episodes "
        + "(training.resetsEachIteration: true), or start the run anew"
    case .failed(let environment, let action, let reason):
      return "environment \(environment) failed while it was to \(action): \(reason)"
    case .expertFailed(let expert, let action, let reason):
      return "the expert \(expert.printable) failed while it was to \(action): \(reason)"
    case .renderingUnavailable(let environment, let reason):
      return "environment \(environment) cannot be rendered: \(reason)"
    case .badModel(let environment, let reason):
      return "environment \(environment): the simulator refused its model: \(reason)"
    }
  }

  private func suggestion(_ nearest: String?) -> String {
    nearest.map { "; did you mean '\($0)'?" } ?? ""
  }
}

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
