/// The tokens of a byte-pair encoding (Sennrich et al., arXiv:1508.07909) with the merges that make
/// them.
///
/// Tokens that end a word are written with `</w>`, as in CLIP's vocabulary.
public struct BytePairVocabulary: Sendable {
  /// Token numbers by text, in the byte alphabet of GPT-2.
  public let identifiers: [String: Int]
  /// The pairs that are joined, the most eagerly joined first.
  public let merges: [Pair]

  /// Two neighbouring tokens that become one.
  public struct Pair: Sendable, Hashable {
    /// The left token.
    public var left: String
    /// The right token.
    public var right: String

    /// A pair of tokens.
    public init(_ left: String, _ right: String) {
      self.left = left
      self.right = right
    }
  }

  /// A merge in a vocabulary that lacks one of its tokens.
  struct IncompleteMerge: Error {
    let index: Int
    let token: String
  }

  /// What marks a token at the end of a word.
  public static let wordEnd = "</w>"
  /// The first token of every text.
  public static let startOfText = "<|startoftext|>"
  /// The last token of every text.
  public static let endOfText = "<|endoftext|>"

  /// The merges as lines of `merges.txt`.
  var mergeLines: String {
    merges.map { "\($0.left) \($0.right)" }.joined(separator: "\n")
  }

  struct Merge {
    let rank: Int
    let result: Int
  }

  private let merged: [UInt64: Merge]
  /// Tokens of single bytes, inside a word and at its end; nil where the vocabulary has none.
  private let innerBytes: [Int?]
  private let lastBytes: [Int?]

  /// A vocabulary in the order of CLIP's: bytes, bytes at the end of a word, merges, markers.
  public init(merges: [Pair]) {
    let bytes = ByteAlphabet.order.map { ByteAlphabet.text([$0]) }
    let joined = merges.map { $0.left + $0.right }
    let texts =
      bytes + bytes.map { $0 + Self.wordEnd } + joined + [Self.startOfText, Self.endOfText]
    var identifiers: [String: Int] = [:]
    for text in texts where identifiers[text] == nil { identifiers[text] = identifiers.count }
    do {
      try self.init(identifiers: identifiers, merges: merges)
    } catch {
      preconditionFailure("merge \(error.index) needs '\(error.token)', which no merge makes")
    }
  }

  init(identifiers: [String: Int], merges: [Pair]) throws(IncompleteMerge) {
    self.identifiers = identifiers
    self.merges = merges
    var merged: [UInt64: Merge] = [:]
    merged.reserveCapacity(merges.count)
    for (rank, pair) in merges.enumerated() {
      func identifier(_ text: String) throws(IncompleteMerge) -> Int {
        guard let identifier = identifiers[text] else {
          throw IncompleteMerge(index: rank, token: text)
        }
        return identifier
      }
      let (left, right) = (try identifier(pair.left), try identifier(pair.right))
      merged[Self.key(left, right)] = Merge(
        rank: rank, result: try identifier(pair.left + pair.right))
    }
    self.merged = merged
    let texts = (0...255).map { ByteAlphabet.text([UInt8($0)]) }
    innerBytes = texts.map { identifiers[$0] }
    lastBytes = texts.map { identifiers[$0 + Self.wordEnd] }
  }

  private static func key(_ left: Int, _ right: Int) -> UInt64 {
    UInt64(UInt32(truncatingIfNeeded: left)) << 32 | UInt64(UInt32(truncatingIfNeeded: right))
  }

  func merge(_ left: Int, _ right: Int) -> Merge? { merged[Self.key(left, right)] }

  /// The tokens of one word.
  func tokens(ofWord word: [UInt8], unknown: Int) -> [Int] {
    var symbols = word.map { innerBytes[Int($0)] ?? unknown }
    if let last = word.last { symbols[symbols.count - 1] = lastBytes[Int(last)] ?? unknown }
    return MergingWord(symbols).merged(by: self)
  }
}
