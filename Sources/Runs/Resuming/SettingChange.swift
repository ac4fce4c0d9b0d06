/// A setting that has another value than before.
public struct SettingChange: Codable, Sendable, Equatable, CustomStringConvertible {
  /// The path of keys, joined by dots.
  public let key: String
  /// The value before, in YAML.
  public let from: String
  /// The value now, in YAML.
  public let to: String

  /// As in "training.iterationCount 20 -> 40".
  public var description: String { "\(key) \(from) -> \(to)" }

  /// The settings that differ, in the order of their keys in the file.
  static func between(_ old: ConfigurationNode, _ new: ConfigurationNode) throws -> [SettingChange]
  {
    try between(old, new, at: "")
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
