/// Turns a value into a tree of configuration nodes; what is nil becomes an explicit null.
struct ConfigurationEncoder: Encoder {
  /// A place in the tree that is still being filled.
  final class Target {
    var content = ConfigurationNode.Content.mapping([])
    var members: [(key: String, target: Target)] = []
    var elements: [Target] = []
    var isDictionary = false

    /// The finished tree.
    var node: ConfigurationNode {
      var node = ConfigurationNode(content: content, isDictionary: isDictionary)
      switch content {
      case .mapping:
        node.content = .mapping(
          members.map {
            ConfigurationNode.Entry(key: $0.key, place: .unwritten, value: $0.target.node)
          })
      case .sequence: node.content = .sequence(elements.map(\.node))
      case .null, .scalar: break
      }
      return node
    }

    /// Fills this place.
    func encode(_ value: some Encodable, at path: [any CodingKey]) throws {
      if let scalar = value as? any ConfigurationScalar & CustomStringConvertible {
        content = .scalar(Self.text(of: scalar), isQuoted: value is String)
        return
      }
      isDictionary = value is any TextKeyed
      try value.encode(to: ConfigurationEncoder(target: self, codingPath: path))
    }

    private static func text(of scalar: any CustomStringConvertible) -> String {
      let text = scalar.description
      switch text {
      case _ where scalar is String: return text
      case "nan", "-nan": return ".nan"
      case "inf": return ".inf"
      case "-inf": return "-.inf"
      default:
        // YAML 1.1 readers take 1e-05 for a text.
        guard let exponent = text.firstIndex(of: "e"), !(scalar is Bool), !text.contains(".") else {
          return text
        }
        return text[..<exponent] + ".0" + text[exponent...]
      }
    }
  }

  let target: Target
  let codingPath: [any CodingKey]
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  /// The tree of a whole value.
  static func node(of value: some Encodable) throws -> ConfigurationNode {
    let target = Target()
    try target.encode(value, at: [])
    return target.node
  }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    KeyedEncodingContainer(Keyed<Key>(target: target, codingPath: codingPath))
  }

  func unkeyedContainer() -> any UnkeyedEncodingContainer {
    target.content = .sequence([])
    return Unkeyed(target: target, codingPath: codingPath)
  }

  func singleValueContainer() -> any SingleValueEncodingContainer {
    Single(target: target, codingPath: codingPath)
  }
}

/// A dictionary whose keys are texts.
private protocol TextKeyed {}
extension Dictionary: TextKeyed where Key == String {}
