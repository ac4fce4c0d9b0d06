/// Decodes a tree of configuration nodes and remembers which keys were asked for, so that those
/// which nobody asks for can be reported.
struct ConfigurationDecoder: Decoder {
  /// What all decoders of one configuration share.
  final class Record {
    /// The keys that were asked for, by the path of their mapping.
    var asked: [[String]: Set<String>] = [:]
    /// The mappings that were looked into, by path.
    var mappings: [[String]: [ConfigurationNode.Entry]] = [:]
  }

  let node: ConfigurationNode
  let path: [String]
  let record: Record
  var codingPath: [any CodingKey] { path.map(NamedKey.init(stringValue:)) }
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  /// Decodes any value; configurations are first completed by their defaults.
  static func value<Value: Decodable>(
    _ type: Value.Type, from node: ConfigurationNode, at path: [String], record: Record
  ) throws -> Value {
    if let scalar = type as? any ConfigurationScalar.Type {
      return try scalarValue(scalar, as: type, from: node, at: path)
    }
    if let names = ValidNames.of(type) { try check(node, among: names, at: path) }
    guard let settings = type as? any Settings.Type else {
      return try decoded(type, from: node, at: path, record: record)
    }
    var complete = node
    if node.entries != nil {
      complete = try ConfigurationEncoder.node(of: settings.init()).overlaid(by: node)
    }
    return try decoded(type, from: complete, at: path, record: record)
  }

  private static func decoded<Value: Decodable>(
    _ type: Value.Type, from node: ConfigurationNode, at path: [String], record: Record
  ) throws -> Value {
    do {
      return try Value(from: ConfigurationDecoder(node: node, path: path, record: record))
    } catch let error as DecodingError {
      throw ConfigurationError(error, node: node, path: path)
    }
  }

  private static func scalarValue<Value>(
    _ scalar: any ConfigurationScalar.Type, as type: Value.Type, from node: ConfigurationNode,
    at path: [String]
  ) throws -> Value {
    guard case .scalar(let text, let isQuoted) = node.content,
      let value = scalar.init(configurationText: text, isQuoted: isQuoted) as? Value
    else { throw mismatch(node, expected: scalar.expectation, at: path) }
    return value
  }

  private static func check(
    _ node: ConfigurationNode, among names: [String], at path: [String]
  ) throws {
    guard case .scalar(let text, _) = node.content, names.contains(text) else {
      var nearest: String?
      if case .scalar(let text, _) = node.content { nearest = text.nearest(among: names) }
      throw ConfigurationError(
        .badValue, place: node.place, key: path.joined(separator: "."),
        problem: "found \(node.found), expected one of \(names.joined(separator: ", "))",
        advice: nearest.map { "did you mean '\($0)'?" })
    }
  }

  static func mismatch(
    _ node: ConfigurationNode, expected: String, at path: [String]
  ) -> ConfigurationError {
    ConfigurationError(
      .badValue, place: node.place, key: path.joined(separator: "."),
      problem: "found \(node.found), expected \(expected)")
  }

  func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
    guard let entries = node.entries else {
      throw Self.mismatch(node, expected: "a mapping of keys", at: path)
    }
    record.mappings[path] = entries
    return KeyedDecodingContainer(
      ConfigurationKeys<Key>(node: node, entries: entries, path: path, record: record))
  }

  func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
    guard case .sequence(let elements) = node.content else {
      throw Self.mismatch(node, expected: "a list", at: path)
    }
    return ConfigurationElements(elements: elements, path: path, record: record)
  }

  func singleValueContainer() -> any SingleValueDecodingContainer {
    ConfigurationSingle(node: node, path: path, record: record)
  }
}

extension ConfigurationDecoder.Record {
  /// Throws for the first key that no type asked for.
  ///
  /// - Parameters:
  ///   - known: the paths of all settings.
  ///   - aliases: their other names.
  func throwUnknownKey(known: [String], aliases: SettingAliases) throws(ConfigurationError) {
    let paths = mappings.keys.sorted { $0.lexicographicallyPrecedes($1) }
    for path in paths {
      let asked = asked[path] ?? []
      for entry in mappings[path] ?? [] where !asked.contains(entry.key) {
        let prefix = path.isEmpty ? "" : path.joined(separator: ".") + "."
        let isOuter = path.isEmpty && aliases.isOuter(entry.key)
        let leaf = isOuter ? entry.firstLeaf : (path: [entry.key], place: entry.place)
        throw ConfigurationError(
          .unknownKey, place: leaf.place, key: prefix + leaf.path.joined(separator: "."),
          problem: "is not a setting",
          advice: isOuter
            ? "docs/configuration.md lists the names of other programs that are taken"
            : advice(for: entry.key, in: path, prefix: prefix, known: known, aliases: aliases))
      }
    }
  }

  /// What may be meant by a key that is no setting: one of before, a misspelling, or the right name
  /// in the wrong place.
  private func advice(
    for key: String, in path: [String], prefix: String, known: [String], aliases: SettingAliases
  ) -> String {
    let asked = asked[path, default: []].sorted()
    func place(of name: String) -> String? {
      asked.contains(name)
        ? prefix + name
        : known.first { $0.split(separator: ".").last.map(String.init) == name }
    }
    if let present = FormerNames.present[key], let place = place(of: present) {
      return "since version 0.2.0 it is '\(place)'"
    }
    let nearest =
      aliases.setting(called: key)
      ?? key.nearest(among: asked + aliases.names(in: path)).map { name in
        aliases.alias(at: path + [name])?.setting ?? prefix + name
      } ?? place(of: key)
    return nearest.map { "did you mean '\($0)'?" }
      ?? "choose from \(asked.joined(separator: ", "))"
  }
}

/// A key known by its name only.
struct NamedKey: CodingKey {
  let stringValue: String
  var intValue: Int? { nil }

  init(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }
}

/// The names of an enumeration's cases.
enum ValidNames {
  /// All raw values of an enumeration of texts; nil for any other type.
  static func of(_ type: any Decodable.Type) -> [String]? {
    guard let cases = type as? any CaseIterable.Type else { return nil }
    return rawValues(cases)
  }

  private static func rawValues<Cases: CaseIterable>(_ type: Cases.Type) -> [String]? {
    let names = type.allCases.compactMap { ($0 as? any RawRepresentable)?.rawValue as? String }
    return names.count == type.allCases.count ? names : nil
  }
}

extension ConfigurationError {
  /// Words what a type's own `init(from:)` complained about.
  init(_ error: DecodingError, node: ConfigurationNode, path: [String]) {
    let key = path.joined(separator: ".")
    switch error {
    case .keyNotFound(let missing, _):
      let name = missing.stringValue
      let keys = (node.entries ?? []).map(\.key)
      self.init(
        .missingKey, place: node.place, key: key.isEmpty ? name : "\(key).\(name)",
        problem: "is missing",
        advice: name.nearest(among: keys).map { "did you mean it by '\($0)'?" } ?? "add it")
    case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
      self.init(
        .badValue, place: node.place, key: key,
        problem: "found \(node.found): \(context.debugDescription)")
    @unknown default:
      self.init(.badValue, place: node.place, key: key, problem: "\(error)")
    }
  }
}

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
