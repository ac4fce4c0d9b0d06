extension BytePairVocabulary {
  /// Learns a vocabulary from texts: again and again the most frequent pair of neighbouring tokens
  /// becomes a token (Sennrich et al., arXiv:1508.07909, section 3.2).
  ///
  /// - Parameters:
  ///   - texts: such as the captions of a training set.
  ///   - size: the most tokens, at least 514: twice the 256 bytes and two markers.
  ///   - leastFrequency: pairs that are rarer stay apart.
  public init(trainedOn texts: some Sequence<String>, size: Int, leastFrequency: Int = 2) {
    precondition(size >= 514, "a vocabulary of \(size) tokens has no room for all bytes")
    var counts: [[UInt8]: Int] = [:]
    for text in texts {
      for word in CLIPWords.words(text) { counts[word, default: 0] += 1 }
    }
    var training = VocabularyTraining(counts)
    var merges: [Pair] = []
    while merges.count < size - 514, let pair = training.mostFrequent(atLeast: leastFrequency) {
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

  /// The pair with the greatest count, the first in alphabetical order of those.
  func mostFrequent(atLeast least: Int) -> BytePairVocabulary.Pair? {
    let best = counts.max {
      ($0.value, $1.key.left, $1.key.right) < ($1.value, $0.key.left, $0.key.right)
    }
    return best.flatMap { $0.value >= least ? $0.key : nil }
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
