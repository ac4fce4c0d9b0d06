/// A setting whose value cannot be used.
public struct SettingError: Error, Equatable, CustomStringConvertible {
  /// The setting's path inside its configuration, joined by dots.
  public let key: String
  /// Its value.
  public let found: String
  /// What it should be, as in "a number above 0".
  public let expected: String

  /// Says what is wrong with a setting.
  public init(key: String, found: String, expected: String) {
    self.key = key
    self.found = found
    self.expected = expected
  }

  /// The setting, its value and what to set it to.
  public var description: String { "'\(key)': found \(found), expected \(expected)" }

  /// Checks that a condition holds.
  ///
  /// - Throws: `SettingError` if it does not.
  public static func require(
    _ holds: Bool, _ key: String, _ found: some Any, _ expected: String
  ) throws(SettingError) {
    if !holds { throw SettingError(key: key, found: "\(found)", expected: expected) }
  }

  /// Runs the checks of an inner configuration and names its settings by their whole path.
  ///
  /// - Throws: what the checks throw.
  public static func within(_ outer: String, _ check: () throws -> Void) throws {
    do {
      try check()
    } catch let error as SettingError {
      throw SettingError(
        key: "\(outer).\(error.key)", found: error.found, expected: error.expected)
    }
  }
}
