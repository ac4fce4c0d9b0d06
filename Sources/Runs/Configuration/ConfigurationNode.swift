/// A value of a configuration with the place where it was written.
struct ConfigurationNode {
  /// A key of a mapping and its value.
  struct Entry {
    var key: String
    var place: ConfigurationError.Place
    var value: ConfigurationNode
  }

  enum Content {
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
    guard let key = path.first, let entry = entries?.first(where: { $0.key == key }) else {
      return place
    }
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
