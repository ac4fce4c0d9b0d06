import Yams

/// A value of a configuration with the place where it was written.
struct ConfigurationNode: Sendable {
  /// A key of a mapping and its value.
  struct Entry: Sendable {
    var key: String
    var place: ConfigurationError.Place
    var value: ConfigurationNode
  }

  enum Content: Sendable {
    case null
    /// A quoted scalar is always text.
    case scalar(String, isQuoted: Bool)
    case sequence([ConfigurationNode])
    case mapping([Entry])
  }

  var content: Content
  var place: ConfigurationError.Place = .unwritten
  /// Whether the keys are free, as those of a dictionary: a file's value replaces all of them.
  var isDictionary = false

  /// The entries of a mapping; nil for anything else.
  var entries: [Entry]? {
    if case .mapping(let entries) = content { entries } else { nil }
  }

  subscript(key: String) -> ConfigurationNode? {
    entries?.first { $0.key == key }?.value
  }

  /// What is written here, for an error message.
  var found: String {
    switch content {
    case .null: "nothing (null)"
    case .scalar(let text, let isQuoted): isQuoted ? "the text '\(text)'" : "'\(text)'"
    case .sequence: "a list"
    case .mapping: "a mapping of keys"
    }
  }
}

extension ConfigurationNode {
  /// This value with what `other` says instead: mappings are joined key by key, all else is
  /// replaced.
  func overlaid(by other: ConfigurationNode) -> ConfigurationNode {
    guard !isDictionary, var entries, let others = other.entries else { return other }
    for entry in others {
      if let index = entries.firstIndex(where: { $0.key == entry.key }) {
        entries[index].value = entries[index].value.overlaid(by: entry.value)
        entries[index].place = entry.place
      } else {
        entries.append(entry)
      }
    }
    return ConfigurationNode(content: .mapping(entries), place: other.place)
  }

  /// Puts a value where a path of keys leads, making the mappings on the way.
  ///
  /// - Returns: the path of the key that cannot hold others; nil if all went well.
  mutating func set(_ path: ArraySlice<String>, to value: ConfigurationNode) -> [String]? {
    guard let key = path.first else {
      var base = self
      base.isDictionary = false  // a single entry joins a dictionary
      self = value.entries == nil ? value : base.overlaid(by: value)
      return nil
    }
    var entries: [Entry]
    switch content {
    case .null: entries = []
    case .mapping(let existing): entries = existing
    case .scalar, .sequence: return []
    }
    let index = entries.firstIndex { $0.key == key } ?? entries.count
    if index == entries.count {
      let empty = ConfigurationNode(content: .null, place: value.place)
      entries.append(Entry(key: key, place: value.place, value: empty))
    }
    if let blocked = entries[index].value.set(path.dropFirst(), to: value) {
      return [key] + blocked
    }
    if case .unwritten = entries[index].place { entries[index].place = value.place }
    content = .mapping(entries)
    return nil
  }

  /// Where the value that a path leads to was written: the place of the deepest key that exists.
  func place(of path: ArraySlice<String>) -> ConfigurationError.Place {
    guard let key = path.first else { return place }
    if case .sequence(let elements) = content, let index = Int(key), elements.indices ~= index {
      return elements[index].place(of: path.dropFirst())
    }
    guard let entry = entries?.first(where: { $0.key == key }) else { return place }
    if path.count == 1, case .unwritten = entry.value.place { return entry.place }
    return entry.value.place(of: path.dropFirst())
  }

  /// The paths of all keys, joined by dots.
  func keyPaths(under prefix: String = "") -> [String] {
    (entries ?? []).flatMap { entry in
      [prefix + entry.key] + entry.value.keyPaths(under: prefix + entry.key + ".")
    }
  }
}

// MARK: Overrides

extension ConfigurationNode {
  /// Applies one `key.path=value`, whose key may be another name of a setting.
  mutating func apply(
    _ override: String, _ names: inout OverrideNames
  ) throws(ConfigurationError) {
    let place = ConfigurationError.Place.override(override)
    guard let equals = override.firstIndex(of: "=") else {
      throw ConfigurationError(
        .badOverride, place: place, problem: "has no '='", advice: "write key.path=value")
    }
    let path = override[..<equals].split(separator: ".", omittingEmptySubsequences: false)
      .map(String.init)
    guard path.allSatisfy({ !$0.isEmpty }) else {
      throw ConfigurationError(
        .badOverride, place: place, problem: "a part of the key is empty",
        advice: "write key.path=value")
    }
    let text = String(override[override.index(after: equals)...])
    let value = try ConfigurationNode(override: override, value: text)
    let setting = try names.setting(path, place: place)
    if let blocked = set(setting[...], to: value) {
      throw ConfigurationError(
        .badOverride, place: place, key: blocked.joined(separator: "."),
        problem: "is a single value or a list, which has no keys", advice: "override it as a whole")
    }
  }
}

// MARK: Reading YAML

extension ConfigurationNode {
  /// More values than any configuration has; aliases of aliases can ask for billions.
  private static let maxNodes = 100_000

  /// Parses YAML; an empty text is an empty mapping.
  ///
  /// - Throws: `ConfigurationError` if it is not YAML.
  init(yaml: String, file: String?) throws(ConfigurationError) {
    let root: Node?
    do {
      root = try compose(yaml: yaml)
    } catch {
      throw ConfigurationError(error, file: file)
    }
    guard let root else {
      self.init(content: .mapping([]))
      return
    }
    var left = Self.maxNodes
    do throws(ConfigurationError) {
      try self.init(root, place: nil, left: &left)
    } catch {
      var error = error
      error.file = file
      throw error
    }
  }

  /// Parses the value of an override; no text is null.
  ///
  /// - Throws: `ConfigurationError` if it is not YAML.
  init(override: String, value: String) throws(ConfigurationError) {
    let place = ConfigurationError.Place.override(override)
    let root: Node?
    do {
      root = try compose(yaml: value)
    } catch {
      throw ConfigurationError(
        .badOverride, place: place, problem: "the value is not YAML",
        advice: "put text with punctuation between quotation marks")
    }
    guard let root else {
      self.init(content: .null, place: place)
      return
    }
    var left = Self.maxNodes
    try self.init(root, place: place, left: &left)
  }

  /// A mapping of texts, each as if it stood unquoted in a file.
  init(texts: [String: String]) {
    self.init(
      content: .mapping(
        texts.sorted { $0.key < $1.key }.map { key, text in
          let value = ConfigurationNode(content: .scalar(text, isQuoted: false))
          return Entry(key: key, place: .unwritten, value: value)
        }))
  }

  /// `place` is nil where each node tells its own line.
  private init(
    _ node: Node, place: ConfigurationError.Place?, left: inout Int
  ) throws(ConfigurationError) {
    let here = place ?? Self.line(of: node)
    left -= 1
    guard left > 0 else {
      throw ConfigurationError(
        .malformed, place: here, problem: "there are more than \(Self.maxNodes) values",
        advice: "write fewer aliases")
    }
    switch node {
    case .scalar(let scalar):
      let isQuoted = scalar.style != .plain && scalar.style != .any
      let isNull = !isQuoted && ["", "~", "null", "Null", "NULL"].contains(scalar.string)
      content = isNull ? .null : .scalar(scalar.string, isQuoted: isQuoted)
    case .sequence(let sequence):
      var elements: [ConfigurationNode] = []
      for element in sequence {
        elements.append(try ConfigurationNode(element, place: place, left: &left))
      }
      content = .sequence(elements)
    case .mapping(let mapping):
      var entries: [Entry] = []
      for (key, value) in mapping {
        let keyPlace = place ?? Self.line(of: key)
        guard let name = key.scalar?.string else {
          throw ConfigurationError(
            .malformed, place: keyPlace, problem: "a key is not text", advice: "write 'key: value'")
        }
        let value = try ConfigurationNode(value, place: place, left: &left)
        entries.append(Entry(key: name, place: keyPlace, value: value))
      }
      content = .mapping(entries)
    case .alias:
      throw ConfigurationError(.malformed, place: here, problem: "an alias leads nowhere")
    }
    self.place = here
  }

  private static func line(of node: Node) -> ConfigurationError.Place {
    node.mark.map { .line($0.line) } ?? .unwritten
  }
}

extension ConfigurationError {
  /// Takes line and problem from an error of the YAML parser.
  init(_ error: any Error, file: String?) {
    switch error as? YamlError {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      self.init(
        .malformed, file: file, place: .line(mark.line), problem: "is not YAML: \(problem)",
        advice: "check indentation, colons and quotation marks")
    case .duplicatedKeysInMapping(let duplicates, let context):
      self.init(
        .malformed, file: file, place: .line(context.mark.line),
        problem: "a mapping has a key twice: \(duplicates.joined(separator: ", "))",
        advice: "remove one")
    default:
      self.init(.malformed, file: file, problem: "is not YAML: \(error)")
    }
  }
}

// MARK: Writing YAML

extension ConfigurationNode {
  /// The YAML text of this tree.
  func yaml() throws -> String {
    try serialize(node: yamlNode, width: -1, allowUnicode: true)
  }

  private var yamlNode: Node {
    switch content {
    case .null: return Node("null", .implicit, .plain)
    case .scalar(let text, let isText): return Self.scalar(text, isText: isText)
    case .sequence(let elements):
      let isFlat = elements.allSatisfy { if case .scalar = $0.content { true } else { false } }
      return Node(elements.map(\.yamlNode), Tag(.seq), isFlat ? .flow : .block)
    case .mapping(let entries):
      let pairs = entries.map { (Self.scalar($0.key, isText: true), $0.value.yamlNode) }
      return Node(pairs, Tag(.map), entries.isEmpty ? .flow : .block)
    }
  }

  /// Quotes a text that a reader could take for a number, a boolean, null or punctuation.
  private static func scalar(_ text: String, isText: Bool) -> Node {
    let isPlain =
      text.first.map { $0.isASCII && $0.isLetter } ?? false
      && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "_-./".contains($0)) }
      && Node(text).tag == Tag(.str)
    return Node(text, .implicit, isText && !isPlain ? .doubleQuoted : .plain)
  }
}
