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

/// A setting that has another value than before.
public struct SettingChange: Codable, Sendable, Equatable, CustomStringConvertible {
  /// The path of keys, joined by dots.
  public let key: String
  /// The value before, in YAML.
  public let from: String
  /// The value now, in YAML.
  public let to: String

  /// A change of one setting.
  public init(key: String, from: String, to: String) {
    self.key = key
    self.from = from
    self.to = to
  }

  /// As in "training.iterations 20 -> 40".
  public var description: String { "\(key) \(from) -> \(to)" }

  /// The settings that differ, in the order of their keys in the file.
  ///
  /// - Throws: `EncodingError` if an own `encode(to:)` refuses.
  public static func between<Both: Settings>(_ old: Both, _ new: Both) throws -> [SettingChange] {
    try between(
      ConfigurationEncoder.node(of: old), ConfigurationEncoder.node(of: new), at: "")
  }

  private static func between(
    _ old: ConfigurationNode?, _ new: ConfigurationNode?, at path: String
  ) throws -> [SettingChange] {
    if let olds = old?.entries, let news = new?.entries {
      let keys =
        olds.map(\.key) + news.map(\.key).filter { key in !olds.contains { $0.key == key } }
      return try keys.flatMap { key in
        try between(old?[key], new?[key], at: path.isEmpty ? key : "\(path).\(key)")
      }
    }
    let (from, to) = (try text(old), try text(new))
    return from == to ? [] : [SettingChange(key: path, from: from, to: to)]
  }

  /// A value in one line.
  private static func text(_ node: ConfigurationNode?) throws -> String {
    guard let node else { return "nothing" }
    let lines = try node.yaml().split(separator: "\n")
    return lines.map { $0.drop { $0 == " " } }.joined(separator: " ")
  }
}
