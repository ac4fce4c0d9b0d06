import Files

extension BytePairVocabulary {
  /// Reads `vocab.json` and `merges.txt`.
  ///
  /// - Throws: `FileError` if one of them is missing or they do not fit together.
  public init(vocabularyPath: String, mergesPath: String) throws {
    let identifiers = try Self.identifiers(try JSONValue(path: vocabularyPath), vocabularyPath)
    let merges = try Self.merges(path: mergesPath)
    try self.init(identifiers, merges: merges, path: mergesPath)
  }

  /// Reads the model in a `tokenizer.json`.
  init(tokenizerPath path: String) throws {
    guard case .object(let root) = try JSONValue(path: path),
      case .object(let model) = root["model"],
      let vocabulary = model["vocab"], case .array(let values) = model["merges"]
    else {
      throw FileError(
        .malformed, path: path, item: "model", problem: "is not a byte-pair encoding",
        advice: "Attune reads CLIP tokenizers")
    }
    let merges = try values.enumerated().map { index, value in
      switch value {
      case .string(let line): return try Self.pair(line, path: path, line: index + 1)
      case .array(let parts):
        guard parts.count == 2, case .string(let left) = parts[0],
          case .string(let right) = parts[1]
        else { fallthrough }
        return Pair(left, right)
      default:
        throw FileError(
          .malformed, path: path, item: "merges", problem: "entry \(index) is not a pair of tokens")
      }
    }
    try self.init(try Self.identifiers(vocabulary, path), merges: merges, path: path)
  }

  private init(_ identifiers: [String: Int], merges: [Pair], path: String) throws {
    do {
      try self.init(identifiers: identifiers, merges: merges)
    } catch {
      throw FileError(
        .malformed, path: path, item: error.token,
        problem: "is needed by merge \(error.index + 1), but not in the vocabulary",
        advice: "vocab.json and merges.txt must come from the same tokenizer")
    }
  }

  private static func identifiers(_ value: JSONValue, _ path: String) throws -> [String: Int] {
    guard case .object(let members) = value else {
      throw FileError(.malformed, path: path, problem: "is not an object of token numbers")
    }
    return try Dictionary(
      uniqueKeysWithValues: members.map { text, value in
        guard case .number(let number) = value, let identifier = Int(exactly: number),
          (0..<(1 << 31)).contains(identifier)
        else {
          throw FileError(
            .malformed, path: path, item: text, problem: "has no whole number as its value")
        }
        return (text, identifier)
      })
  }

  private static func merges(path: String) throws -> [Pair] {
    try TextFile.lines(path: path).enumerated().compactMap { index, line in
      if index == 0 && line.hasPrefix("#version") { return nil }
      return line.isEmpty ? nil : try pair(line, path: path, line: index + 1)
    }
  }

  private static func pair(
    _ text: some StringProtocol, path: String, line: Int
  ) throws -> Pair {
    let parts = text.split(separator: " ")
    guard parts.count == 2 else {
      throw FileError(
        .malformed, path: path, item: "line \(line)",
        problem: "has \(parts.count) tokens, where two are merged")
    }
    return Pair(String(parts[0]), String(parts[1]))
  }
}
