/// Turns prompts into the tokens of a CLIP text encoder, as `CLIPTokenizer` of transformers does.
///
/// Any text has tokens: what the vocabulary has no merges for is spelled in bytes.
public struct CLIPTokenizer: Sendable {
  /// The tokens and merges.
  public let vocabulary: BytePairVocabulary
  /// The most tokens of a text, the first and last included; 77 in CLIP.
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
  /// Texts that are tokens wherever they stand: the markers and the padding.
  private let special: [(scalars: [Unicode.Scalar], token: Int)]

  /// A vocabulary that lacks a token which every text needs.
  struct MissingToken: Error {
    let text: String
  }

  /// A tokenizer with a vocabulary that has CLIP's markers and the padding's text.
  public init(
    vocabulary: BytePairVocabulary, maximumLength: Int = 77,
    padding: String = BytePairVocabulary.endOfText
  ) {
    do {
      try self.init(checking: vocabulary, maximumLength: maximumLength, padding: padding)
    } catch {
      preconditionFailure("the vocabulary has no token '\(error.text)'")
    }
  }

  init(
    checking vocabulary: BytePairVocabulary, maximumLength: Int, padding: String
  ) throws(MissingToken) {
    func token(_ text: String) throws(MissingToken) -> Int {
      guard let token = vocabulary.identifiers[text] else { throw MissingToken(text: text) }
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
    let texts = Set([BytePairVocabulary.startOfText, BytePairVocabulary.endOfText, padding])
    special = try texts.sorted { $0.utf8.count > $1.utf8.count }.map { text throws(MissingToken) in
      (Array(text.unicodeScalars), try token(text))
    }
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
    let omitted = Set([startToken, endToken, paddingToken])
    var bytes: [UInt8] = []
    for token in tokens where !omitted.contains(token) {
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
    let scalars = Array(text.unicodeScalars)
    var tokens: [Int] = []
    var start = 0
    var position = 0
    func encode(_ range: Range<Int>) -> [Int] {
      guard !range.isEmpty else { return [] }
      var piece = String.UnicodeScalarView()
      piece.append(contentsOf: scalars[range])
      return CLIPWords.words(String(piece)).flatMap {
        vocabulary.tokens(ofWord: $0, unknown: endToken)
      }
    }
    while position < scalars.count {
      let rest = scalars[position...]
      if let match = special.first(where: { rest.starts(with: $0.scalars) }) {
        tokens += encode(start..<position) + [match.token]
        position += match.scalars.count
        start = position
      } else {
        position += 1
      }
    }
    return tokens + encode(start..<scalars.count)
  }
}
