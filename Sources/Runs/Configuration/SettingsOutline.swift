/// The settings of a run as its folder has them, whatever command they belong to.
public struct SettingsOutline: Sendable, Equatable {
  /// A setting: its keys joined by dots, and its value as a text.
  public struct Entry: Sendable, Equatable {
    /// The path of keys.
    public let path: String
    /// The value; a list's elements are joined by commas, null is empty.
    public let value: String
  }

  /// The settings in the order of the file.
  public let entries: [Entry]

  /// Reads YAML.
  ///
  /// - Throws: `ConfigurationError` if it is not YAML.
  public init(yaml: String, file: String? = nil) throws(ConfigurationError) {
    let node = try ConfigurationNode(yaml: yaml, file: file)
    entries = node.leaves(under: "")
  }

  /// The value of a setting; nil if there is none or it is null.
  public subscript(path: String) -> String? {
    entries.first { $0.path == path && !$0.value.isEmpty }?.value
  }

  /// Whether there is a setting of that path, or one below it.
  public func has(_ path: String) -> Bool {
    entries.contains { $0.path == path || $0.path.hasPrefix(path + ".") }
  }
}

extension ConfigurationNode {
  fileprivate func leaves(under prefix: String) -> [SettingsOutline.Entry] {
    guard let entries, !entries.isEmpty else {
      return prefix.isEmpty ? [] : [SettingsOutline.Entry(path: prefix, value: words)]
    }
    return entries.flatMap { entry in
      entry.value.leaves(under: prefix.isEmpty ? entry.key : "\(prefix).\(entry.key)")
    }
  }

  private var words: String {
    switch content {
    case .null: ""
    case .scalar(let text, _): text
    case .sequence(let elements): elements.map(\.words).joined(separator: ", ")
    case .mapping(let entries):
      entries.map { "\($0.key): \($0.value.words)" }.joined(separator: ", ")
    }
  }
}
