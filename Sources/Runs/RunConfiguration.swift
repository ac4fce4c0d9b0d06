import Configuration
import Files
import Tensors

/// The settings of a command that makes a run.
public protocol RunConfiguration: Settings {
  /// What may be changed when a run with these settings is resumed.
  static var changeableOnResume: ChangeableSettings { get }
  /// The precision of its matrix products.
  var precision: Precision { get }
}

extension RunConfiguration {
  /// Nothing.
  public static var changeableOnResume: ChangeableSettings { .none }
  /// 32-bit floats.
  public var precision: Precision { .highest }

  /// Loads settings: the defaults, overlaid by a YAML file, overlaid by overrides.
  ///
  /// - Parameters:
  ///   - path: the YAML file; nil for the defaults alone.
  ///   - overrides: `key.path=value` each, the value in YAML.
  ///   - randomSeed: draws what the setting `seed` becomes where it is -1; if nil, -1 is refused.
  /// - Throws: `FileError` if the file cannot be read; `ConfigurationError` if an unknown key, a
  ///   value of a wrong type or out of range, or a damaged text is found.
  public static func load(
    from path: String?, overrides: [String] = [], randomSeed: (() -> UInt64)? = nil
  ) throws -> Self {
    let text = try path.map { path in try TextFile.read(path: path) }
    return try decode(
      yaml: text ?? "", file: path, overrides: overrides, randomSeed: randomSeed)
  }

  /// Writes the settings to a YAML file, every key written out.
  ///
  /// - Throws: `FileError` if the system refuses.
  public func write(to path: String) throws {
    try AtomicFile.write(try yaml(), to: path)
  }
}

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
