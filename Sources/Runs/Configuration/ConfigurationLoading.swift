import Files

extension RunConfiguration {
  /// Loads settings: the defaults, overlaid by a YAML file, overlaid by overrides.
  ///
  /// - Parameters:
  ///   - path: the YAML file; nil for the defaults alone.
  ///   - overrides: `key.path=value` each, the value in YAML.
  /// - Throws: `FileError` if the file cannot be read; `ConfigurationError` if an unknown key, a
  ///   value of a wrong type or out of range, or a damaged text is found.
  public static func load(from path: String?, overrides: [String] = []) throws -> Self {
    let text = try path.map { path in try TextFile.read(path: path) }
    return try decode(yaml: text ?? "", file: path, overrides: overrides)
  }

  /// Decodes settings from a text; `file` is how errors call it.
  ///
  /// - Throws: `ConfigurationError` as for `load(from:overrides:)`.
  public static func decode(
    yaml: String, file: String? = nil, overrides: [String] = []
  ) throws -> Self {
    do {
      var node = try ConfigurationNode(yaml: yaml, file: file)
      guard node.entries != nil else {
        throw ConfigurationDecoder.mismatch(node, expected: "a mapping of keys", at: [])
      }
      let defaults = try defaultNode()
      node = defaults.overlaid(by: node)
      for override in overrides { try node.apply(override) }
      let record = ConfigurationDecoder.Record()
      let value = try ConfigurationDecoder.value(Self.self, from: node, at: [], record: record)
      try record.throwUnknownKey(known: defaults.keyPaths())
      for check in record.checks { try check() }
      return value
    } catch var error as ConfigurationError {
      if case .override = error.place {} else { error.file = file }
      throw error
    }
  }

  /// The settings as YAML, every key written out; it decodes to the same value.
  ///
  /// - Throws: `EncodingError` if an own `encode(to:)` refuses.
  public func yaml() throws -> String {
    try ConfigurationEncoder.node(of: self).yaml()
  }

  /// Writes the settings to a YAML file, every key written out.
  ///
  /// - Throws: `FileError` if the system refuses.
  public func write(to path: String) throws {
    try AtomicFile.write(try yaml(), to: path)
  }
}

extension ConfigurationNode {
  /// Applies one `key.path=value`.
  mutating func apply(_ override: String) throws(ConfigurationError) {
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
    if let blocked = set(path[...], to: value) {
      throw ConfigurationError(
        .badOverride, place: place, key: blocked.joined(separator: "."),
        problem: "is a single value or a list, which has no keys", advice: "override it as a whole")
    }
  }
}

extension ConfigurationDecoder.Record {
  /// Throws for the first key that no type asked for.
  func throwUnknownKey(known: [String]) throws(ConfigurationError) {
    let paths = mappings.keys.sorted { $0.lexicographicallyPrecedes($1) }
    for path in paths {
      let asked = asked[path] ?? []
      for entry in mappings[path] ?? [] where !asked.contains(entry.key) {
        let prefix = path.isEmpty ? "" : path.joined(separator: ".") + "."
        // A slip of the pen, or the right name in the wrong place.
        let nearest =
          entry.key.nearest(among: asked.sorted()).map { prefix + $0 }
          ?? known.first { $0.split(separator: ".").last.map(String.init) == entry.key }
        let choices = asked.sorted().joined(separator: ", ")
        throw ConfigurationError(
          .unknownKey, place: entry.place, key: prefix + entry.key, problem: "is not a setting",
          advice: nearest.map { "did you mean '\($0)'?" } ?? "choose from \(choices)")
      }
    }
  }
}
