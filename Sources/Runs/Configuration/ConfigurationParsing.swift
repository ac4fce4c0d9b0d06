import Yams

extension ConfigurationNode {
  /// More values than any configuration has; aliases of aliases can ask for billions.
  private static let mostNodes = 100_000

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
    var left = Self.mostNodes
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
    var left = Self.mostNodes
    try self.init(root, place: place, left: &left)
  }

  /// `place` is nil where each node tells its own line.
  private init(
    _ node: Node, place: ConfigurationError.Place?, left: inout Int
  ) throws(ConfigurationError) {
    let here = place ?? Self.line(of: node)
    left -= 1
    guard left > 0 else {
      throw ConfigurationError(
        .malformed, place: here, problem: "there are more than \(Self.mostNodes) values",
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
