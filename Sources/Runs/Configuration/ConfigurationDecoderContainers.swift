/// The keys of a mapping, for decoding.
struct ConfigurationKeys<Key: CodingKey>: KeyedDecodingContainerProtocol {
  let node: ConfigurationNode
  let entries: [ConfigurationNode.Entry]
  let path: [String]
  let record: ConfigurationDecoder.Record

  var codingPath: [any CodingKey] { path.map(NamedKey.init(stringValue:)) }

  var allKeys: [Key] {
    // Who lists the keys, as a dictionary does, accepts them all.
    record.asked[path, default: []].formUnion(entries.map(\.key))
    return entries.compactMap { Key(stringValue: $0.key) }
  }

  func contains(_ key: Key) -> Bool { value(key) != nil }

  func decodeNil(forKey key: Key) throws -> Bool {
    if case .null = try existing(key).content { true } else { false }
  }

  func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
    try ConfigurationDecoder.value(
      type, from: try existing(key), at: path + [key.stringValue], record: record)
  }

  func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type, forKey key: Key
  ) throws -> KeyedDecodingContainer<Nested> {
    try superDecoder(forKey: key).container(keyedBy: type)
  }

  func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
    try superDecoder(forKey: key).unkeyedContainer()
  }

  func superDecoder() throws -> any Decoder {
    preconditionFailure("configurations are structs, without a superclass")
  }

  func superDecoder(forKey key: Key) throws -> any Decoder {
    ConfigurationDecoder(
      node: try existing(key), path: path + [key.stringValue], record: record)
  }

  private func value(_ key: Key) -> ConfigurationNode? {
    record.asked[path, default: []].insert(key.stringValue)
    return entries.first { $0.key == key.stringValue }?.value
  }

  private func existing(_ key: Key) throws -> ConfigurationNode {
    guard let value = value(key) else {
      throw DecodingError.keyNotFound(
        key, DecodingError.Context(codingPath: codingPath, debugDescription: "is missing"))
    }
    return value
  }
}

/// The elements of a list, for decoding.
struct ConfigurationElements: UnkeyedDecodingContainer {
  let elements: [ConfigurationNode]
  let path: [String]
  let record: ConfigurationDecoder.Record
  private(set) var currentIndex = 0

  init(elements: [ConfigurationNode], path: [String], record: ConfigurationDecoder.Record) {
    self.elements = elements
    self.path = path
    self.record = record
  }

  var codingPath: [any CodingKey] { path.map(NamedKey.init(stringValue:)) }
  var count: Int? { elements.count }
  var isAtEnd: Bool { currentIndex == elements.count }

  mutating func decodeNil() throws -> Bool {
    guard !isAtEnd, case .null = elements[currentIndex].content else { return false }
    currentIndex += 1
    return true
  }

  mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
    let decoder = try next()
    return try ConfigurationDecoder.value(
      type, from: decoder.node, at: decoder.path, record: record)
  }

  mutating func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type
  ) throws -> KeyedDecodingContainer<Nested> {
    try next().container(keyedBy: type)
  }

  mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
    try next().unkeyedContainer()
  }

  mutating func superDecoder() throws -> any Decoder { try next() }

  private mutating func next() throws -> ConfigurationDecoder {
    guard !isAtEnd else {
      throw DecodingError.dataCorrupted(
        DecodingError.Context(
          codingPath: codingPath, debugDescription: "the list has only \(elements.count) elements"))
    }
    defer { currentIndex += 1 }
    return ConfigurationDecoder(
      node: elements[currentIndex], path: path + [String(currentIndex)], record: record)
  }
}

/// A value without keys or elements, for decoding.
struct ConfigurationSingle: SingleValueDecodingContainer {
  let node: ConfigurationNode
  let path: [String]
  let record: ConfigurationDecoder.Record

  var codingPath: [any CodingKey] { path.map(NamedKey.init(stringValue:)) }

  func decodeNil() -> Bool {
    if case .null = node.content { true } else { false }
  }

  func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
    try ConfigurationDecoder.value(type, from: node, at: path, record: record)
  }
}
