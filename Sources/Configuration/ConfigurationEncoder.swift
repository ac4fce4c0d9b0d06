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

extension ConfigurationEncoder {
  struct Keyed<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let target: Target
    let codingPath: [any CodingKey]

    private func place(_ key: some CodingKey) -> Target {
      let place = Target()
      target.members.append((key.stringValue, place))
      return place
    }

    func encodeNil(forKey key: Key) { place(key).content = .null }

    func encode<Value: Encodable>(_ value: Value, forKey key: Key) throws {
      try place(key).encode(value, at: codingPath + [key])
    }

    func encodeIfPresent<Value: Encodable>(_ value: Value?, forKey key: Key) throws {
      try encodeOrNull(value, forKey: key)
    }

    // The protocol has a default for each of these, which leaves nil out and would be taken before
    // the generic function above.
    func encodeIfPresent(_ value: Bool?, forKey key: Key) throws {
      try encodeOrNull(value, forKey: key)
    }
    func encodeIfPresent(_ value: String?, forKey key: Key) throws {
      try encodeOrNull(value, forKey: key)
    }
    func encodeIfPresent(_ value: Double?, forKey key: Key) throws {
      try encodeOrNull(value, forKey: key)
    }
    func encodeIfPresent(_ value: Float?, forKey key: Key) throws {
      try encodeOrNull(value, forKey: key)
    }
    func encodeIfPresent(_ value: Int?, forKey key: Key) throws {
      try encodeOrNull(value, forKey: key)
    }
    func encodeIfPresent(_ value: Int8?, forKey key: Key) throws {
      try encodeOrNull(value, forKey: key)
    }
    func encodeIfPresent(_ value: Int16?, forKey key: Key) throws {
      try encodeOrNull(value, forKey: key)
    }
    func encodeIfPresent(_ value: Int32?, forKey key: Key) throws {
      try encodeOrNull(value, forKey: key)
    }
    func encodeIfPresent(_ value: Int64?, forKey key: Key) throws {
      try encodeOrNull(value, forKey: key)
    }
    func encodeIfPresent(_ value: UInt?, forKey key: Key) throws {
      try encodeOrNull(value, forKey: key)
    }
    func encodeIfPresent(_ value: UInt8?, forKey key: Key) throws {
      try encodeOrNull(value, forKey: key)
    }
    func encodeIfPresent(_ value: UInt16?, forKey key: Key) throws {
      try encodeOrNull(value, forKey: key)
    }
    func encodeIfPresent(_ value: UInt32?, forKey key: Key) throws {
      try encodeOrNull(value, forKey: key)
    }
    func encodeIfPresent(_ value: UInt64?, forKey key: Key) throws {
      try encodeOrNull(value, forKey: key)
    }

    private func encodeOrNull(_ value: (some Encodable)?, forKey key: Key) throws {
      if let value { try encode(value, forKey: key) } else { encodeNil(forKey: key) }
    }

    func nestedContainer<Nested: CodingKey>(
      keyedBy keyType: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> {
      KeyedEncodingContainer(Keyed<Nested>(target: place(key), codingPath: codingPath + [key]))
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
      ConfigurationEncoder(target: place(key), codingPath: codingPath + [key]).unkeyedContainer()
    }

    func superEncoder() -> any Encoder {
      preconditionFailure("configurations are structs, without a superclass")
    }

    func superEncoder(forKey key: Key) -> any Encoder {
      ConfigurationEncoder(target: place(key), codingPath: codingPath + [key])
    }
  }

  struct Unkeyed: UnkeyedEncodingContainer {
    let target: Target
    let codingPath: [any CodingKey]
    var count: Int { target.elements.count }

    private func place() -> Target {
      let place = Target()
      target.elements.append(place)
      return place
    }

    func encodeNil() { place().content = .null }

    func encode<Value: Encodable>(_ value: Value) throws {
      try place().encode(value, at: codingPath)
    }

    func nestedContainer<Nested: CodingKey>(
      keyedBy keyType: Nested.Type
    ) -> KeyedEncodingContainer<Nested> {
      KeyedEncodingContainer(Keyed<Nested>(target: place(), codingPath: codingPath))
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
      ConfigurationEncoder(target: place(), codingPath: codingPath).unkeyedContainer()
    }

    func superEncoder() -> any Encoder {
      ConfigurationEncoder(target: place(), codingPath: codingPath)
    }
  }

  struct Single: SingleValueEncodingContainer {
    let target: Target
    let codingPath: [any CodingKey]

    func encodeNil() { target.content = .null }

    func encode<Value: Encodable>(_ value: Value) throws {
      try target.encode(value, at: codingPath)
    }
  }
}
