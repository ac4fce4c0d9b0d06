import Files

/// Decodes a tree of configuration nodes and remembers which keys were asked for, so that those
/// which nobody asks for can be reported.
struct ConfigurationDecoder: Decoder {
  /// What all decoders of one configuration share.
  final class Record {
    /// The keys that were asked for, by the path of their mapping.
    var asked: [[String]: Set<String>] = [:]
    /// The mappings that were looked into, by path.
    var mappings: [[String]: [ConfigurationNode.Entry]] = [:]
    /// The range checks to run when everything is decoded, inner configurations first.
    var checks: [() throws -> Void] = []
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
    guard let configuration = type as? any RunConfiguration.Type else {
      return try decoded(type, from: node, at: path, record: record)
    }
    var complete = node
    if node.entries != nil { complete = try configuration.defaultNode().overlaid(by: node) }
    let value = try decoded(type, from: complete, at: path, record: record)
    if let checked = value as? any RunConfiguration {
      record.checks.append { try checked.check(at: path, in: complete) }
    }
    return value
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
        advice: name.nearest(among: keys).map { "is '\($0)' a slip?" } ?? "add it")
    case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
      self.init(
        .badValue, place: node.place, key: key,
        problem: "found \(node.found): \(context.debugDescription)")
    @unknown default:
      self.init(.badValue, place: node.place, key: key, problem: "\(error)")
    }
  }
}
