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

/// Finds added tokens in a text: the leftmost first, of those the longest, as the tokenizers library
/// does.
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
