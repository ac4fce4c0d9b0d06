/// What a program can tell of a setting: for lists of parameters, and for a reference.
public struct SettingDescription: Sendable {
  /// The path of keys, joined by dots.
  public let key: String
  /// The default in one line.
  public let defaultText: String
  /// The range in words; nil where every value is good.
  public let range: String?
  /// The names that it may have; nil if it is not an enumeration.
  public let choices: [String]?
  /// What its declaration says that it means; nil if that is in the comment above it.
  public let meaning: String?
  /// The type that declares it, with its module and outer types.
  package let owner: String
  /// Its name there.
  package let property: String
  /// The default as a tree.
  let node: ConfigurationNode

  /// Whether the default is a text without letters.
  var isEmptyText: Bool {
    if case .scalar(let text, let isText) = node.content { isText && text.isEmpty } else { false }
  }

  /// The settings in the order of their YAML, inner ones one by one.
  ///
  /// - Throws: `EncodingError` if an own `encode(to:)` refuses.
  public static func all(of settings: some Settings) throws -> [SettingDescription] {
    all(of: settings, try ConfigurationEncoder.node(of: settings), under: "")
  }

  private static func all(
    of value: Any, _ node: ConfigurationNode, under prefix: String
  ) -> [SettingDescription] {
    let members = Mirror(reflecting: value).children
    let owner = String(reflecting: type(of: value))
    return (node.entries ?? []).flatMap { entry -> [SettingDescription] in
      let key = prefix + entry.key
      let stored = members.first { [entry.key, "_" + entry.key].contains($0.label) }?.value
      let setting = stored as? any DeclaredSetting
      let member = setting?.anyValue ?? stored
      let isStruct = member.map { Mirror(reflecting: $0).displayStyle == .struct } ?? false
      if let member, isStruct, entry.value.entries != nil, !entry.value.isDictionary {
        return all(of: member, entry.value, under: key + ".")
      }
      let type = setting.map { Swift.type(of: $0).valueType } ?? member.map { Swift.type(of: $0) }
      return [
        SettingDescription(
          key: key, defaultText: entry.value.line, range: setting?.rangeText,
          choices: type.flatMap(choices), meaning: setting?.meaning, owner: owner,
          property: entry.key, node: entry.value)
      ]
    }
  }

  private static func choices(of type: Any.Type) -> [String]? {
    let wrapped = (type as? any AnyOptional.Type)?.wrappedType ?? type
    return (wrapped as? any Decodable.Type).flatMap(ValidNames.of)
  }
}

extension ConfigurationNode {
  /// The value in one line of YAML.
  fileprivate var line: String {
    switch content {
    case .null: return "null"
    case .scalar(let text, let isText): return isText && text.isEmpty ? "\"\"" : text
    case .sequence(let elements): return "[\(elements.map(\.line).joined(separator: ", "))]"
    case .mapping(let entries):
      // Dictionaries have no order of their own.
      let pairs = entries.map { "\($0.key): \($0.value.line)" }.sorted()
      return "{\(pairs.joined(separator: ", "))}"
    }
  }
}
