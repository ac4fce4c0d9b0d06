/// The characters by which byte-level vocabularies write bytes: printable ones stand for
/// themselves, the others for characters from U+0100 on (Radford et al. 2019, GPT-2).
enum ByteAlphabet {
  /// Bytes in the order of their characters' numbers in a vocabulary: printable ones first.
  static let order: [UInt8] = printable + (0...255).filter { !printable.contains($0) }

  /// The character of each byte.
  static let characters: [Unicode.Scalar] = {
    var characters = [Unicode.Scalar](repeating: "\0", count: 256)
    var next: UInt32 = 256
    for byte in order {
      if printable.contains(byte) {
        characters[Int(byte)] = Unicode.Scalar(byte)
      } else if let scalar = Unicode.Scalar(next) {
        characters[Int(byte)] = scalar
        next += 1
      }
    }
    return characters
  }()

  private static let printable: [UInt8] = Array(33...126) + Array(161...172) + Array(174...255)

  private static let bytes: [Unicode.Scalar: UInt8] = Dictionary(
    uniqueKeysWithValues: characters.enumerated().map { ($1, UInt8($0)) })

  /// The text that stands for some bytes.
  static func text(_ bytes: some Sequence<UInt8>) -> String {
    var text = String.UnicodeScalarView()
    for byte in bytes { text.append(characters[Int(byte)]) }
    return String(text)
  }

  /// The bytes that a text stands for; nil if it has other characters.
  static func bytes(_ text: some StringProtocol) -> [UInt8]? {
    var result: [UInt8] = []
    for scalar in text.unicodeScalars {
      guard let byte = bytes[scalar] else { return nil }
      result.append(byte)
    }
    return result
  }
}

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

extension BytePairVocabulary {
  /// Learns a vocabulary from texts: again and again the most frequent pair of neighbouring tokens
  /// becomes a token (Sennrich et al., arXiv:1508.07909, section 3.2).
  ///
  /// - Parameters:
  ///   - texts: such as the captions of a training set.
  ///   - size: the maximum number of tokens, at least 514: twice the 256 bytes and two markers.
  ///   - minFrequency: pairs that are rarer stay apart.
  public init(trainedOn texts: some Sequence<String>, size: Int, minFrequency: Int = 2) {
    precondition(size >= 514, "a vocabulary of \(size) tokens has no room for all bytes")
    var counts: [[UInt8]: Int] = [:]
    for text in texts {
      for word in CLIPWords.words(text) { counts[word, default: 0] += 1 }
    }
    var training = VocabularyTraining(counts)
    var merges: [Pair] = []
    while merges.count < size - 514, let pair = training.mostFrequent(atLeast: minFrequency) {
      training.merge(pair)
      merges.append(pair)
    }
    self.init(merges: merges)
  }
}

/// The words of a corpus as they are merged.
private struct VocabularyTraining {
  private typealias Pair = BytePairVocabulary.Pair

  private var words: [(tokens: [String], count: Int)]
  private var counts: [Pair: Int] = [:]
  /// Words that may have a pair.
  private var places: [Pair: Set<Int>] = [:]

  init(_ counts: [[UInt8]: Int]) {
    // In order, so that the same corpus gives the same vocabulary.
    words = counts.map { word, count in
      var tokens = word.map { ByteAlphabet.text([$0]) }
      tokens[tokens.count - 1] += BytePairVocabulary.wordEnd
      return (tokens, count)
    }.sorted { $0.tokens.lexicographicallyPrecedes($1.tokens) }
    for index in words.indices { count(index, sign: 1) }
  }

  /// The pair with the maximum count, the first in alphabetical order of those.
  func mostFrequent(atLeast minimum: Int) -> BytePairVocabulary.Pair? {
    let best = counts.max {
      ($0.value, $1.key.left, $1.key.right) < ($1.value, $0.key.left, $0.key.right)
    }
    return best.flatMap { $0.value >= minimum ? $0.key : nil }
  }

  mutating func merge(_ pair: BytePairVocabulary.Pair) {
    for index in places[pair] ?? [] {
      count(index, sign: -1)
      let tokens = words[index].tokens
      var merged: [String] = []
      var position = 0
      while position < tokens.count {
        let isPair =
          position + 1 < tokens.count && tokens[position] == pair.left
          && tokens[position + 1] == pair.right
        merged.append(isPair ? pair.left + pair.right : tokens[position])
        position += isPair ? 2 : 1
      }
      words[index].tokens = merged
      count(index, sign: 1)
    }
    places[pair] = nil
  }

  private mutating func count(_ index: Int, sign: Int) {
    let (tokens, count) = words[index]
    for (left, right) in zip(tokens, tokens.dropFirst()) {
      let pair = Pair(left, right)
      let total = (counts[pair] ?? 0) + sign * count
      counts[pair] = total > 0 ? total : nil
      if sign > 0 { places[pair, default: []].insert(index) }
    }
  }
}

/// A word while its neighbouring tokens are joined: a linked list, and a heap of possible merges.
struct MergingWord {
  private var symbols: [Int]
  private var next: [Int]
  private var previous: [Int]
  private var heap: [Candidate] = []

  private struct Candidate: Comparable {
    let rank: Int
    let position: Int
    let result: Int

    static func < (a: Candidate, b: Candidate) -> Bool {
      (a.rank, a.position) < (b.rank, b.position)
    }
  }

  private static let gone = -1

  init(_ symbols: [Int]) {
    self.symbols = symbols
    next = Array(1..<(symbols.count + 1))
    previous = Array(-1..<(symbols.count - 1))
  }

  /// The tokens that are left when no more merges apply: the best ranked first, then the leftmost.
  consuming func merged(by vocabulary: BytePairVocabulary) -> [Int] {
    guard symbols.count > 1 else { return symbols }
    for position in symbols.indices.dropLast() { consider(position, vocabulary) }
    while let candidate = popLeast() {
      let position = candidate.position
      // The candidate is stale if one of its two symbols has changed meanwhile.
      guard symbols[position] != Self.gone, next[position] < symbols.count,
        let merge = vocabulary.merge(symbols[position], symbols[next[position]]),
        merge.rank == candidate.rank
      else { continue }
      let absorbed = next[position]
      symbols[position] = merge.result
      symbols[absorbed] = Self.gone
      next[position] = next[absorbed]
      if next[position] < symbols.count { previous[next[position]] = position }
      consider(position, vocabulary)
      if previous[position] >= 0 { consider(previous[position], vocabulary) }
    }
    return symbols.filter { $0 != Self.gone }
  }

  private mutating func consider(_ position: Int, _ vocabulary: BytePairVocabulary) {
    guard next[position] < symbols.count,
      let merge = vocabulary.merge(symbols[position], symbols[next[position]])
    else { return }
    push(Candidate(rank: merge.rank, position: position, result: merge.result))
  }

  private mutating func push(_ candidate: Candidate) {
    heap.append(candidate)
    var index = heap.count - 1
    while index > 0, heap[index] < heap[(index - 1) / 2] {
      heap.swapAt(index, (index - 1) / 2)
      index = (index - 1) / 2
    }
  }

  private mutating func popLeast() -> Candidate? {
    guard let minimum = heap.first, let last = heap.popLast() else { return nil }
    guard !heap.isEmpty else { return minimum }
    heap[0] = last
    var index = 0
    while true {
      var minimum = index
      for child in [2 * index + 1, 2 * index + 2] where child < heap.count {
        if heap[child] < heap[minimum] { minimum = child }
      }
      if minimum == index { break }
      heap.swapAt(index, minimum)
      index = minimum
    }
    return minimum
  }
}
