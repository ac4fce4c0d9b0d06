import Files
import Foundation

/// A text that is one token wherever it stands, beyond what merges make: a marker, padding, or a
/// word whose embedding was learned by itself (textual inversion, Gal et al., arXiv:2208.01618).
public struct AddedToken: Sendable, Equatable {
  /// The text.
  public var text: String
  /// The row of the text encoder's embeddings.
  public var identifier: Int
  /// Whether it is found after case and spaces are folded, or as written only.
  public var isNormalized: Bool
  /// Whether letters and digits beside it make it part of another word.
  public var isSingleWord: Bool
  /// Whether it takes in the space before it. CLIP's words have none, so that it changes nothing.
  public var stripsLeft: Bool
  /// Whether it takes in the space after it, which changes nothing either.
  public var stripsRight: Bool
  /// Whether it is a mark rather than a word, for programs that leave marks out of a text.
  public var isSpecial: Bool

  /// A token as transformers adds it: found in any case, anywhere.
  public init(
    _ text: String, identifier: Int, isNormalized: Bool = true, isSingleWord: Bool = false,
    stripsLeft: Bool = false, stripsRight: Bool = false, isSpecial: Bool = false
  ) {
    self.text = text
    self.identifier = identifier
    self.isNormalized = isNormalized
    self.isSingleWord = isSingleWord
    self.stripsLeft = stripsLeft
    self.stripsRight = stripsRight
    self.isSpecial = isSpecial
  }
}

/// Finds added tokens in a text: the leftmost first, of those the longest, as the tokenizers
/// library does.
struct AddedTokenMatcher: Sendable {
  private struct Entry: Sendable {
    let scalars: [Unicode.Scalar]
    let token: AddedToken
  }

  /// By first character, the longest first.
  private var entries: [Unicode.Scalar: [Entry]] = [:]

  /// A piece of a text.
  enum Piece {
    case text(ArraySlice<Unicode.Scalar>)
    case token(AddedToken)
  }

  /// - Parameters:
  ///   - tokens: what is looked for.
  ///   - scalars: the text of a token as it stands in texts that are searched.
  init(_ tokens: [AddedToken], scalars: (String) -> [Unicode.Scalar]) {
    for token in tokens {
      let text = scalars(token.text)
      if let first = text.first {
        entries[first, default: []].append(.init(scalars: text, token: token))
      }
    }
    for first in entries.keys { entries[first]?.sort { $0.scalars.count > $1.scalars.count } }
  }

  /// The tokens in a text and what lies between them.
  func pieces(_ scalars: [Unicode.Scalar]) -> [Piece] {
    guard !entries.isEmpty else { return [.text(scalars[...])] }
    var pieces: [Piece] = []
    var start = 0
    var position = 0
    while position < scalars.count {
      guard let match = match(scalars, at: position) else {
        position += 1
        continue
      }
      let end = position + match.scalars.count
      defer { position = end }
      // A match inside a word hides what else might begin in it.
      if match.token.isSingleWord && isPartOfWord(scalars, position..<end) { continue }
      if position > start { pieces.append(.text(scalars[start..<position])) }
      pieces.append(.token(match.token))
      start = end
    }
    if start < scalars.count { pieces.append(.text(scalars[start...])) }
    return pieces
  }

  private func match(_ scalars: [Unicode.Scalar], at position: Int) -> Entry? {
    entries[scalars[position]]?.first { scalars[position...].starts(with: $0.scalars) }
  }

  private func isPartOfWord(_ scalars: [Unicode.Scalar], _ range: Range<Int>) -> Bool {
    let before = range.lowerBound > 0 && scalars[range.lowerBound - 1].isInWords
    return before || range.upperBound < scalars.count && scalars[range.upperBound].isInWords
  }
}

extension Unicode.Scalar {
  /// Whether regular expressions count it as part of a word (`\w`, Unicode UTS 18).
  fileprivate var isInWords: Bool {
    if properties.isAlphabetic || properties.isJoinControl { return true }
    switch properties.generalCategory {
    case .decimalNumber, .connectorPunctuation, .nonspacingMark, .spacingMark, .enclosingMark:
      return true
    default: return false
    }
  }
}

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

  /// - Throws: `FileError` if a file is damaged, or gives a token another number than the next
  ///   does.
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
      let maximum = max(texts.keys.max() ?? -1, tokens.map(\.identifier).max() ?? -1)
      try add(
        AddedToken(
          text, identifier: vocabulary.identifiers[text] ?? maximum + 1, isNormalized: false,
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
