/// The settings of a command: a plain `Codable` struct with a default for everything.
///
/// A file overlays the defaults key by key, overrides overlay the file, and the result is decoded;
/// a nested `RunConfiguration`, also an optional one or one in a list, is completed by its own
/// defaults. Lists and dictionaries are replaced as a whole by a file; an override may set one key
/// of a dictionary. Enumerations of texts should be `CaseIterable`, so that errors can list the
/// choices.
public protocol RunConfiguration: Codable, Sendable, Equatable {
  /// What holds where neither file nor override says otherwise.
  static var defaults: Self { get }

  /// Checks ranges, after everything is decoded; inner configurations are checked on their own.
  ///
  /// - Throws: `ConfigurationError.badValue(key:found:expected:)`.
  func validate() throws

  /// What may be changed when a run with these settings is resumed.
  static var changeableOnResume: ChangeableSettings { get }
}

extension RunConfiguration {
  /// Accepts all values of the right type.
  public func validate() throws {}

  /// Nothing.
  public static var changeableOnResume: ChangeableSettings { .none }

  /// The defaults as a tree.
  static func defaultNode() throws -> ConfigurationNode {
    try ConfigurationEncoder.node(of: defaults)
  }

  /// Runs the range checks and adds to an error where the value was written.
  func check(at path: [String], in node: ConfigurationNode) throws {
    do {
      try validate()
    } catch var error as ConfigurationError {
      let keys = error.key.isEmpty ? [] : error.key.split(separator: ".").map(String.init)
      error.place = node.place(of: keys[...])
      error.key = (path + keys).joined(separator: ".")
      throw error
    }
  }
}
