import Yams

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
