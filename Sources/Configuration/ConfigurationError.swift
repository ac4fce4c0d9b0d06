/// Why a configuration was refused: the file and line or the override, the key, what was found and
/// what to do.
public struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What kind of failure it is, for programs that decide by it.
  public enum Kind: Sendable, Equatable {
    /// The text is not YAML, or not a mapping of keys.
    case malformed
    /// No setting has this name.
    case unknownKey
    /// The value has the wrong type or is out of range.
    case badValue
    /// A setting without a default was left out.
    case missingKey
    /// An override is not of the form `key.path=value`.
    case badOverride
  }

  /// Where the value was written.
  public enum Place: Sendable, Equatable {
    /// Nowhere: it is a default, or missing.
    case unwritten
    /// A line of the file, counted from one.
    case line(Int)
    /// An override, as it was given.
    case override(String)
  }

  /// What kind of failure it is.
  public let kind: Kind
  /// The path of the file; nil if there is none.
  public var file: String?
  /// Where the value was written.
  public var place: Place
  /// The path of the key, joined by dots; empty for the whole configuration.
  public var key: String
  /// What was found, and what was expected.
  public let problem: String
  /// What to do next.
  public let advice: String?

  init(
    _ kind: Kind, file: String? = nil, place: Place = .unwritten, key: String = "",
    problem: String, advice: String? = nil
  ) {
    self.kind = kind
    self.file = file
    self.place = place
    self.key = key
    self.problem = problem
    self.advice = advice
  }

  /// A value out of range; who read it adds file and line.
  ///
  /// - Parameters:
  ///   - key: the key's path inside the checked settings, joined by dots.
  ///   - found: the value.
  ///   - expected: what it should be, as in "a number above 0".
  public static func badValue(
    key: String, found: some Any, expected: String
  ) -> ConfigurationError {
    ConfigurationError(.badValue, key: key, problem: "found \(found), expected \(expected)")
  }

  /// Checks that a condition holds.
  ///
  /// - Throws: `ConfigurationError` if it does not.
  public static func require(
    _ holds: Bool, _ key: String, _ found: some Any, _ expected: String
  ) throws(ConfigurationError) {
    if !holds { throw badValue(key: key, found: found, expected: expected) }
  }

  /// Does something with inner settings, and names those that do not fit by their whole path.
  ///
  /// - Throws: what `body` throws.
  public static func within<Result>(
    _ outer: String, _ body: () throws -> Result
  ) throws -> Result {
    do {
      return try body()
    } catch var error as ConfigurationError {
      error.key = error.key.isEmpty ? outer : "\(outer).\(error.key)"
      throw error
    }
  }

  /// One line: `pretrain.yaml:12: 'network.width': found -3, expected a number above 0`.
  public var description: String {
    var text: String
    switch (place, file) {
    case (.override(let override), _): text = "override '\(override.printable)': "
    case (.line(let line), let file?): text = "\(file.printable):\(line): "
    case (.line(let line), nil): text = "line \(line): "
    case (.unwritten, let file?): text = "\(file.printable): "
    case (.unwritten, nil): text = key.isEmpty ? "configuration: " : ""
    }
    if !key.isEmpty { text += "'\(key.printable)': " }
    text += problem.printable
    if let advice { text += "; \(advice.printable)" }
    return text
  }
}
