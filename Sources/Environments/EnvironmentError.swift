/// What can be wrong with an environment that a user asked for.
public enum EnvironmentError: Error, Equatable {
  /// No environment is registered under that name.
  case unknownEnvironment(name: String, nearest: String?, known: [String])
  /// No environments are found by that prefix, as `gymnasium` in `gymnasium:Ant-v5`.
  case unknownPrefix(name: String, prefix: String, nearest: String?, known: [String])
  /// A saved state belongs to another kind of environment, or is damaged.
  case stateMismatch(layer: String)
  /// An episode that was saved as its actions came to another state when they were replayed.
  case replayDiffers(environment: String, stepCount: Int)
  /// The environment cannot go on: the program that it runs in died, say.
  case failed(environment: String, doing: String, reason: String)
  /// The environment cannot draw a picture.
  case renderingUnavailable(environment: String, reason: String)
  /// A simulator refused a model.
  case badModel(environment: String, reason: String)
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
    case .stateMismatch(let layer):
      return "a saved state does not fit \(layer): it was saved by another kind of environment "
        + "or is damaged; restore it into an environment made with the same name and parameters"
    case .replayDiffers(let environment, let stepCount):
      return "environment \(environment) came to another state when the \(stepCount) steps of its "
        + "saved episode were replayed: it is another version, or its seed and actions do not "
        + "decide it; begin every iteration with new episodes "
        + "(training.startsEpisodesAnew: true), or start the run anew"
    case .failed(let environment, let action, let reason):
      return "environment \(environment) failed while it was to \(action): \(reason)"
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
