import NeuralNetworks
import Runs

extension RunConfiguration {
  /// Does something with an inner configuration, and names settings that do not fit by their whole
  /// path.
  func checking<Result>(_ outer: String, _ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch let error as SettingError {
      throw ConfigurationError.badValue(
        key: "\(outer).\(error.key)", found: error.found, expected: error.expected)
    }
  }
}
