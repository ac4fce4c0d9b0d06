/// Which settings of a run may be changed when it is resumed; all others stay as the run was
/// started with them.
public struct ChangeableSettings: Sendable, Equatable {
  /// Keys whose values may change; a key stands for all keys below it.
  public let keys: [String]
  /// Keys of paths that may change where the content is still that of the run's start; the command
  /// checks the content by `Run.require(_:)`.
  public let paths: [String]

  /// Nothing may change.
  public static let none = ChangeableSettings()

  /// Lists what may change.
  ///
  /// - Parameters:
  ///   - keys: keys whose values may change; a key stands for all keys below it.
  ///   - paths: keys of paths that may change where the content is the same.
  public init(keys: [String] = [], paths: [String] = []) {
    self.keys = keys
    self.paths = paths
  }

  /// Whether a setting may change, be it only its path.
  public func allows(_ key: String) -> Bool {
    (keys + paths).contains { key == $0 || key.hasPrefix($0 + ".") }
  }
}
