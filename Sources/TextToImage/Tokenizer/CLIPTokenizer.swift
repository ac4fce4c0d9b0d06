import Foundation

/// Turns prompts into the tokens of a CLIP text encoder, as `CLIPTokenizer` of transformers does.
///
/// Any text has tokens: what the vocabulary has no merges for is spelled in bytes. Added tokens are
/// found as in the tokenizers library, which transformers 5 has alone; the older tokenizer in
/// Python does not fold case and spaces. As in diffusers' pipelines, an added token with `TOKEN_1`,
/// `TOKEN_2` and so on beside it stands for all of them in a row.
public struct CLIPTokenizer: Sendable {
  /// The tokens and merges.
  public let vocabulary: BytePairVocabulary
  /// The maximum number of tokens of a text, the first and last included; 77 in CLIP.
  public let maximumLength: Int
  /// The text of the token that fills up short texts: the end marker in Stable Diffusion 1, `!` in
  /// 2.
  public let padding: String
  /// The number of the first token of every text.
  public let startToken: Int
  /// The number of the last token of every text; also that of what the vocabulary cannot spell.
  public let endToken: Int
  /// The number of the token that fills up short texts.
  public let paddingToken: Int
  /// Tokens beyond the vocabulary's merges, by number; markers and padding only where they were
  /// given with how they are found.
  public let addedTokens: [AddedToken]
  /// Texts that are tokens as they are written: the markers and the padding among them.
  private let written: AddedTokenMatcher
  /// Texts that are tokens in any case.
  private let normalized: AddedTokenMatcher
  /// What follows an added token that has several vectors.
  private let followers: [Int: [Int]]

  /// A vocabulary that lacks a token which every text needs.
  struct MissingToken: Error {
    let text: String
  }

  /// A tokenizer with a vocabulary that has CLIP's markers and the padding's text.
  public init(
    vocabulary: BytePairVocabulary, maximumLength: Int = 77,
    padding: String = BytePairVocabulary.endOfText, addedTokens: [AddedToken] = []
  ) {
    do {
      try self.init(
        checking: vocabulary, maximumLength: maximumLength, padding: padding,
        addedTokens: addedTokens)
    } catch {
      preconditionFailure("the vocabulary has no token '\(error.text)'")
    }
  }

  init(
    checking vocabulary: BytePairVocabulary, maximumLength: Int, padding: String,
    addedTokens: [AddedToken]
  ) throws(MissingToken) {
    let added = Dictionary(addedTokens.map { ($0.text, $0.identifier) }) { first, _ in first }
    func token(_ text: String) throws(MissingToken) -> Int {
      guard let token = added[text] ?? vocabulary.identifiers[text] else {
        throw MissingToken(text: text)
      }
      return token
    }
    precondition(
      maximumLength >= 2, "a text of \(maximumLength) tokens has no room for its markers")
    self.vocabulary = vocabulary
    self.maximumLength = maximumLength
    self.padding = padding
    startToken = try token(BytePairVocabulary.startOfText)
    endToken = try token(BytePairVocabulary.endOfText)
    paddingToken = try token(padding)
    self.addedTokens = addedTokens.sorted { $0.identifier < $1.identifier }
    var tokens = addedTokens
    for text in Set([BytePairVocabulary.startOfText, BytePairVocabulary.endOfText, padding])
    where added[text] == nil {
      tokens.append(
        AddedToken(text, identifier: try token(text), isNormalized: false, isSpecial: true))
    }
    written = AddedTokenMatcher(tokens.filter { !$0.isNormalized }) { Array($0.unicodeScalars) }
    normalized = AddedTokenMatcher(tokens.filter(\.isNormalized)) { CLIPWords.normalized($0) }
    followers = Self.followers(added)
  }

  /// The tokens `TOKEN_1`, `TOKEN_2` and so on, for each that has any.
  private static func followers(_ added: [String: Int]) -> [Int: [Int]] {
    var followers: [Int: [Int]] = [:]
    for (text, identifier) in added {
      var following: [Int] = []
      while let next = added["\(text)_\(following.count + 1)"] { following.append(next) }
      if !following.isEmpty { followers[identifier] = following }
    }
    return followers
  }

  /// The maximum number of a token.
  package var maxToken: Int {
    max(vocabulary.identifiers.values.max() ?? 0, addedTokens.last?.identifier ?? 0)
  }

  /// The same with more tokens.
  func adding(_ tokens: [AddedToken]) -> CLIPTokenizer {
    CLIPTokenizer(
      vocabulary: vocabulary, maximumLength: maximumLength, padding: padding,
      addedTokens: addedTokens + tokens)
  }

  /// The tokens of a text between its markers, cut to the maximum length.
  public func tokens(_ text: String) -> [Int] {
    [startToken] + body(text).prefix(maximumLength - 2) + [endToken]
  }

  /// The tokens of a text between its markers, filled up to the maximum length.
  public func paddedTokens(_ text: String) -> [Int] {
    let tokens = tokens(text)
    return tokens + [Int](repeating: paddingToken, count: maximumLength - tokens.count)
  }

  /// What `tokens(_:)` leaves out of a text that is too long; nil if it leaves out nothing.
  public func rest(of text: String) -> String? {
    let rest = body(text).dropFirst(maximumLength - 2)
    return rest.isEmpty ? nil : self.text(Array(rest))
  }

  /// The text that tokens stand for, words set apart by spaces; markers and padding are left out.
  public func text(_ tokens: [Int]) -> String {
    let texts = Dictionary(vocabulary.identifiers.map { ($1, $0) }) { first, _ in first }
    let added = Dictionary(addedTokens.map { ($0.identifier, $0.text) }) { first, _ in first }
    let omitted = Set([startToken, endToken, paddingToken])
    var bytes: [UInt8] = []
    for token in tokens where !omitted.contains(token) {
      if let text = added[token] {
        bytes += Array("\(text) ".utf8)
        continue
      }
      guard let text = texts[token] else { continue }
      let isLast = text.hasSuffix(BytePairVocabulary.wordEnd)
      let piece = isLast ? text.dropLast(BytePairVocabulary.wordEnd.count) : text[...]
      bytes += ByteAlphabet.bytes(piece) ?? Array(piece.utf8)
      if isLast { bytes.append(UInt8(ascii: " ")) }
    }
    if bytes.last == UInt8(ascii: " ") { bytes.removeLast() }
    return String(decoding: bytes, as: UTF8.self)
  }

  private func body(_ text: String) -> [Int] {
    var tokens: [Int] = []
    func add(_ token: AddedToken) {
      tokens += [token.identifier] + (followers[token.identifier] ?? [])
    }
    for piece in written.pieces(Array(text.unicodeScalars)) {
      guard case .text(let scalars) = piece else {
        if case .token(let token) = piece { add(token) }
        continue
      }
      var plain = String.UnicodeScalarView()
      plain.append(contentsOf: scalars)
      for piece in normalized.pieces(CLIPWords.normalized(String(plain))) {
        switch piece {
        case .token(let token): add(token)
        case .text(let scalars):
          tokens += CLIPWords.words(normalized: Array(scalars)).flatMap {
            vocabulary.tokens(ofWord: $0, unknown: endToken)
          }
        }
      }
    }
    return tokens
  }
}

/// Cuts a text into the words that CLIP's byte-pair encoding works on: runs of letters, single
/// digits, runs of anything else that is not space, and the English contractions.
enum CLIPWords {
  /// The words of a text as UTF-8, after normalization.
  static func words(_ text: some StringProtocol) -> [[UInt8]] {
    words(normalized: normalized(text))
  }

  /// A text as words are cut from it: composed (NFC), lower case, spaces in a row as one.
  static func normalized(_ text: some StringProtocol) -> [Unicode.Scalar] {
    var result: [Unicode.Scalar] = []
    for scalar in lowercased(text) {
      guard kind(scalar) == .space else {
        result.append(scalar)
        continue
      }
      if result.last != " " { result.append(" ") }
    }
    return result
  }

  /// The words of a normalized text as UTF-8.
  static func words(normalized scalars: [Unicode.Scalar]) -> [[UInt8]] {
    var words: [[UInt8]] = []
    var position = 0
    while position < scalars.count {
      let end = wordEnd(scalars, from: position)
      guard end > position else {
        position += 1  // space
        continue
      }
      let word = scalars[position..<end]
      if isMarker(word) {
        // Spelled-out markers are cut once more, at the edges of their letters.
        words += [word.prefix(2), word.dropFirst(2).dropLast(2), word.suffix(2)].map(utf8)
      } else {
        words.append(utf8(word))
      }
      position = end
    }
    return words
  }

  private static func utf8(_ scalars: ArraySlice<Unicode.Scalar>) -> [UInt8] {
    scalars.flatMap { Array(UTF8.encode($0) ?? UTF8.encodedReplacementCharacter) }
  }

  private static func lowercased(_ text: some StringProtocol) -> [Unicode.Scalar] {
    var result: [Unicode.Scalar] = []
    let isASCII = text.utf8.allSatisfy { $0 < 0x80 }
    let composed = isASCII ? String(text) : text.precomposedStringWithCanonicalMapping
    for scalar in composed.unicodeScalars {
      if scalar.isASCII {
        let isUpper = (65...90).contains(scalar.value)
        result.append(isUpper ? Unicode.Scalar(UInt8(scalar.value) + 32) : scalar)
      } else {
        // One character at a time: a final sigma is not told from others.
        result.append(contentsOf: scalar.properties.lowercaseMapping.unicodeScalars)
      }
    }
    return result
  }

  private enum Kind { case letter, number, space, other }

  private static func kind(_ scalar: Unicode.Scalar) -> Kind {
    switch scalar.value {
    case 97...122, 65...90: return .letter
    case 48...57: return .number
    case 9...13, 32: return .space
    case ..<128: return .other
    default: break
    }
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
      return .letter
    case .decimalNumber, .letterNumber, .otherNumber: return .number
    default: return scalar.properties.isWhitespace ? .space : .other
    }
  }

  private static let markers = ["<|startoftext|>", "<|endoftext|>"].map { Array($0.unicodeScalars) }
  private static let contractions = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"].map {
    Array($0.unicodeScalars)
  }

  private static func isMarker(_ word: ArraySlice<Unicode.Scalar>) -> Bool {
    word.first == "<" && markers.contains { $0.elementsEqual(word) }
  }

  /// Where the word that starts at a position ends; the position itself if there is a space.
  private static func wordEnd(_ scalars: [Unicode.Scalar], from start: Int) -> Int {
    let rest = scalars[start...]
    if scalars[start] == "<" || scalars[start] == "'" {
      let fixed = scalars[start] == "<" ? markers : contractions
      if let match = fixed.first(where: { rest.starts(with: $0) }) { return start + match.count }
    }
    let kind = kind(scalars[start])
    switch kind {
    case .space: return start
    case .number: return start + 1
    case .letter, .other:
      return rest.firstIndex { self.kind($0) != kind } ?? scalars.count
    }
  }
}
