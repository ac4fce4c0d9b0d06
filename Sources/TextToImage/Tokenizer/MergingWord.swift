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
