import NeuralNetworks
import Runs

extension RunConfiguration {
  /// Runs the checks of an inner configuration and names its settings by their whole path.
  func checking(_ outer: String, _ check: () throws -> Void) throws {
    do {
      try check()
    } catch let error as SettingError {
      throw ConfigurationError.badValue(
        key: "\(outer).\(error.key)", found: error.found, expected: error.expected)
    }
  }
}
