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
