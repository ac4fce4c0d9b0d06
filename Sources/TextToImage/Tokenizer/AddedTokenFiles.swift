import Files
import Foundation

/// The tokens that the files beside a vocabulary add. Of a token that several files have, the flags
/// of the most explicit count, as in transformers: `tokenizer_config.json`, `tokenizer.json`,
/// `added_tokens.json`.
struct AddedTokenFiles {
  private(set) var tokens: [AddedToken] = []
  private var paths: [String: String] = [:]
  private let vocabulary: BytePairVocabulary
  private let texts: [Int: String]

  private static let decoderKey = "added_tokens_decoder"
  private static let markKeys = ["bos_token", "eos_token", "unk_token", "pad_token"]
  private static let extraKeys = ["additional_special_tokens", "extra_special_tokens"]

  /// - Throws: `FileError` if a file is damaged, or gives a token another number than the next does.
  init(folder: String, vocabulary: BytePairVocabulary) throws {
    self.vocabulary = vocabulary
    texts = Dictionary(vocabulary.identifiers.map { ($1, $0) }) { first, _ in first }
    func members(_ name: String) throws -> (path: String, [String: JSONValue])? {
      let path = "\(folder)/\(name)"
      guard FileManager.default.fileExists(atPath: path) else { return nil }
      guard case .object(let members) = try JSONValue(path: path) else {
        throw FileError(.malformed, path: path, problem: "is not a JSON object")
      }
      return (path, members)
    }
    var (extra, marks): ([String], [String]) = ([], [])
    for name in ["tokenizer_config.json", "special_tokens_map.json"] {
      guard let (_, members) = try members(name) else { continue }
      for key in Self.extraKeys { extra += Self.texts(members[key]) }
      for key in Self.markKeys { marks += Self.texts(members[key].map { .array([$0]) }) }
    }
    if let (path, members) = try members("tokenizer_config.json"),
      case .object(let decoder) = members[Self.decoderKey]
    {
      for (number, value) in decoder {
        try add(value, identifier: Int(number), path: path, item: Self.decoderKey)
      }
    }
    if let (path, members) = try members("tokenizer.json"),
      case .array(let values) = members["added_tokens"]
    {
      for value in values {
        guard case .object(let token) = value, case .number(let number) = token["id"] else {
          throw Self.damaged(path, "added_tokens", "has an entry without an id")
        }
        try add(value, identifier: Int(exactly: number), path: path, item: "added_tokens")
      }
    }
    if let (path, members) = try members("added_tokens.json") {
      for (text, value) in members {
        guard case .number(let number) = value, let identifier = Int(exactly: number) else {
          throw Self.damaged(path, text, "has no whole number as its value")
        }
        // This file has no flags. Case is folded around all but the marks, as in transformers 5; 4
        // did not fold it around the extra ones.
        let isMark = marks.contains(text)
        try add(
          AddedToken(
            text, identifier: identifier, isNormalized: !isMark,
            isSpecial: isMark || extra.contains(text)), path: path)
      }
    }
    try addNumberless(extra, path: "\(folder)/special_tokens_map.json")
  }

  /// Special tokens that no file numbers follow the others, as in transformers.
  private mutating func addNumberless(_ extra: [String], path: String) throws {
    for text in extra where paths[text] == nil {
      let greatest = max(texts.keys.max() ?? -1, tokens.map(\.identifier).max() ?? -1)
      try add(
        AddedToken(
          text, identifier: vocabulary.identifiers[text] ?? greatest + 1, isNormalized: false,
          isSpecial: true), path: path)
    }
  }

  private mutating func add(
    _ value: JSONValue, identifier: Int?, path: String, item: String
  ) throws {
    guard let identifier, case .object(let members) = value,
      case .string(let text) = members["content"]
    else { throw Self.damaged(path, item, "has an entry that is no token with a number") }
    func flag(_ key: String) -> Bool { members[key] == .boolean(true) }
    let isSpecial = flag("special")
    try add(
      AddedToken(
        text, identifier: identifier,
        isNormalized: members["normalized"].map { $0 == .boolean(true) } ?? !isSpecial,
        isSingleWord: flag("single_word"), stripsLeft: flag("lstrip"),
        stripsRight: flag("rstrip"), isSpecial: isSpecial),
      path: path)
  }

  /// Adds a token unless a file before has it.
  private mutating func add(_ token: AddedToken, path: String) throws {
    guard (0..<(1 << 31)).contains(token.identifier), !token.text.isEmpty else {
      throw Self.damaged(path, token.text, "has the number \(token.identifier)")
    }
    if let known = vocabulary.identifiers[token.text], known != token.identifier {
      throw Self.damaged(
        path, token.text, "is token \(token.identifier), but \(known) in the vocabulary")
    }
    if let other = texts[token.identifier]
      ?? tokens.first(where: {
        $0.identifier == token.identifier
      })?.text, other != token.text
    {
      throw Self.damaged(
        path, token.text, "is token \(token.identifier), as is '\(other)'")
    }
    if let known = tokens.first(where: { $0.text == token.text }) {
      guard known.identifier == token.identifier else {
        throw Self.damaged(
          path, token.text,
          "is token \(token.identifier), but \(known.identifier) in \(paths[token.text] ?? "")")
      }
      return
    }
    tokens.append(token)
    paths[token.text] = path
  }

  private static func damaged(_ path: String, _ item: String, _ problem: String) -> FileError {
    FileError(
      .malformed, path: path, item: item, problem: problem,
      advice: "do the files of the tokenizer belong together?")
  }

  private static func texts(_ value: JSONValue?) -> [String] {
    guard case .array(let values) = value else { return [] }
    return values.compactMap {
      switch $0 {
      case .string(let text): text
      case .object(let members):
        if case .string(let text) = members["content"] { text } else { nil }
      default: nil
      }
    }
  }

  /// Tokens as `tokenizer_config.json` has them.
  static func decoder(_ tokens: [AddedToken]) -> JSONValue {
    let members = tokens.map { token in
      (
        "\(token.identifier)",
        JSONValue.object([
          "content": .string(token.text), "normalized": .boolean(token.isNormalized),
          "single_word": .boolean(token.isSingleWord), "lstrip": .boolean(token.stripsLeft),
          "rstrip": .boolean(token.stripsRight), "special": .boolean(token.isSpecial),
        ])
      )
    }
    return .object(Dictionary(members) { first, _ in first })
  }
}
