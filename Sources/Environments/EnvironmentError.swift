/// What can be wrong with an environment that a user asked for.
public enum EnvironmentError: Error, Equatable {
  /// No environment is registered under that name.
  case unknownEnvironment(name: String, nearest: String?, known: [String])
  /// A saved state belongs to another kind of environment, or is damaged.
  case stateMismatch(layer: String)
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
    case .stateMismatch(let layer):
      return "a saved state does not fit \(layer): it was saved by another kind of environment "
        + "or is damaged; restore it into an environment made with the same name and parameters"
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
