import ArgumentParser
import DiffusionPolicies
import Environments

/// Parameters of an environment as arguments: `version=v5 timeLimit=200`.
struct EnvironmentArguments: ParsableArguments {
  @Argument(help: "Parameters of the environment, such as version=v5 or timeLimit=200.")
  var parameters: [String] = []

  func validate() throws { _ = try values() }

  /// The values by key.
  ///
  /// - Throws: `ValidationError` for what is no `key=value`, and for a key that is given twice.
  func values() throws -> [String: String] {
    var values: [String: String] = [:]
    for parameter in parameters {
      let parts = parameter.split(
        separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, !parts[0].isEmpty else {
        throw ValidationError("'\(parameter)' is no parameter: write key=value")
      }
      let (key, value) = (String(parts[0]), String(parts[1]))
      if let other = values.updateValue(value, forKey: key), other != value {
        throw ValidationError(
          "parameter '\(key)' is given twice, as '\(other)' and as '\(value)'")
      }
    }
    return values
  }
}

/// The environment that a policy is to be played in, if it is not that of its checkpoint.
struct EnvironmentChoice {
  /// Nil for that of the checkpoint.
  var name: String?
  /// In place of those of the checkpoint.
  var parameters: [String: String]

  /// The environment of a checkpoint with what was chosen. Its parameters belong to it: another one
  /// does not take them over.
  func applied(to own: EnvironmentConfiguration) -> EnvironmentConfiguration {
    var chosen = own
    if let name, name != own.name {
      chosen = EnvironmentConfiguration()
      chosen.name = name
    }
    chosen.parameters.merge(parameters) { $1 }
    return chosen
  }
}

extension EnvironmentConfiguration {
  /// Every parameter with its value, as far as the environment is known; else those that are set.
  var allParameters: [String: String] {
    get throws {
      guard EnvironmentRegistry.standard.knows(name) else {
        return parameters
      }
      return try EnvironmentRegistry.standard.parameters(
        of: name, given: parameters)
    }
  }

  /// In what this environment differs from another one, as in `timeLimit=40 instead of 300`; nil if
  /// it does not.
  func differences(from other: EnvironmentConfiguration) throws -> String? {
    guard name == other.name else {
      let lost = other.parameters.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
      return "'\(name)' instead of '\(other.name)'"
        + (lost.isEmpty ? "" : ", without its \(lost.joined(separator: " "))")
    }
    let (own, others) = (try allParameters, try other.allParameters)
    let differences = own.keys.sorted().compactMap { key -> String? in
      guard let value = own[key], let before = others[key], value != before else { return nil }
      return "\(key)=\(value) instead of \(before)"
    }
    return differences.isEmpty ? nil : differences.joined(separator: ", ")
  }
}
