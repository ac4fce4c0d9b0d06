@testable import Runs

/// A setting of a command: its key, default and meaning.
struct SettingRow {
  /// The path, joined by dots.
  let key: String
  /// The default as a tree.
  let node: ConfigurationNode
  /// The names that it may have; nil if it is not an enumeration.
  let choices: [String]?
  /// The comment above it in the sources; nil if there is none.
  let meaning: String?

  /// The settings of a command, in the order of its YAML.
  static func rows(
    of settings: CommandSettings, _ comments: SourceComments
  ) throws -> [SettingRow] {
    let defaults = settings.type.defaults
    return rows(
      of: defaults, try ConfigurationEncoder.node(of: defaults), under: "", comments)
  }

  private static func rows(
    of value: Any, _ node: ConfigurationNode, under prefix: String, _ comments: SourceComments
  ) -> [SettingRow] {
    let members = Mirror(reflecting: value).children
    let type = String(reflecting: Swift.type(of: value))
    return (node.entries ?? []).flatMap { entry in
      let key = prefix + entry.key
      let member = members.first { $0.label == entry.key }?.value
      let isStruct = member.map { Mirror(reflecting: $0).displayStyle == .struct } ?? false
      if let member, isStruct, entry.value.entries != nil, !entry.value.isDictionary {
        return rows(of: member, entry.value, under: key + ".", comments)
      }
      let kind = member.flatMap { wrapped(Swift.type(of: $0)) as? any Decodable.Type }
      return [
        SettingRow(
          key: key, node: entry.value, choices: kind.flatMap(ValidNames.of),
          meaning: comments.comment(on: entry.key, in: type))
      ]
    }
  }

  /// The type inside an optional one.
  private static func wrapped(_ type: Any.Type) -> Any.Type {
    (type as? any AnyOptional.Type)?.wrapped ?? type
  }
}

private protocol AnyOptional {
  static var wrapped: Any.Type { get }
}

extension Optional: AnyOptional {
  fileprivate static var wrapped: Any.Type { Wrapped.self }
}
