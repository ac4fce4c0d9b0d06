/// Finds known phrases in texts: word by word, the longest wherever several begin, whatever the
/// case and the punctuation.
public struct PhraseFinder: Sendable {
  /// A phrase in a text.
  public struct Match: Equatable, Sendable {
    /// Its words in lower case with single spaces between them.
    public let phrase: String
    /// Where it is.
    public let range: Range<String.Index>
  }

  private let phrases: Set<[String]>
  private let longest: Int

  /// Knows these phrases.
  public init(_ phrases: some Sequence<String>) {
    self.phrases = Set(phrases.map { Self.words(in: $0).map(\.word) })
    longest = self.phrases.map(\.count).max() ?? 0
  }

  /// The phrases of a text in its order; none overlaps another.
  public func matches(in text: String) -> [Match] {
    let words = Self.words(in: text)
    var matches: [Match] = []
    var position = 0
    while position < words.count {
      let lengths = (1...max(1, min(longest, words.count - position))).reversed()
      let found = lengths.first { length in
        phrases.contains(words[position..<position + length].map(\.word))
      }
      guard let found else {
        position += 1
        continue
      }
      let run = words[position..<position + found]
      matches.append(
        Match(
          phrase: run.map(\.word).joined(separator: " "),
          range: run[position].range.lowerBound..<run[position + found - 1].range.upperBound))
      position += found
    }
    return matches
  }

  /// A phrase as matches have it.
  public static func normalized(_ phrase: String) -> String {
    words(in: phrase).map(\.word).joined(separator: " ")
  }

  /// Runs of letters and digits, in lower case, and where they are.
  private static func words(in text: String) -> [(word: String, range: Range<String.Index>)] {
    text.split { !$0.isLetter && !$0.isNumber }.map { word in
      (word.lowercased(), word.startIndex..<word.endIndex)
    }
  }
}
