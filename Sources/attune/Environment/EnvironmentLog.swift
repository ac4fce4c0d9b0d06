import Environments
import Runs

extension RunLog {
  /// Takes the warnings of environments from now on.
  ///
  /// - Parameter isQuiet: whether none is to be seen, in commands that then print errors only.
  func takeEnvironmentWarnings(isQuiet: Bool = false) {
    EnvironmentWarnings.send { warning in if !isQuiet { warn(warning) } }
  }
}
