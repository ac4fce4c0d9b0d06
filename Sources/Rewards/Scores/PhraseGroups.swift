import CaptionedImages
import Files

/// Phrases of which a prompt has one or none: colors, say, or what a hand may hold.
public struct PhraseGroups: Sendable, Equatable {
  /// A phrase of a prompt and what could stand in its place.
  public struct Choice: Sendable, Equatable {
    /// The phrase.
    public let phrase: String
    /// The prompt itself, and then the prompt with each of the others in the phrase's place.
    public let texts: [String]
  }

  private let groups: [[String]]
  /// The groups that a phrase belongs to.
  private let places: [String: [Int]]
  private let finder: PhraseFinder

  /// Groups of phrases, each as prompts have it: with its article, if it has one.
  public init(_ groups: [[String]]) {
    self.groups = groups
    var places: [String: [Int]] = [:]
    for (index, group) in groups.enumerated() {
      for phrase in group { places[PhraseFinder.normalized(phrase), default: []].append(index) }
    }
    self.places = places
    finder = PhraseFinder(groups.joined())
  }

  /// Reads a text file: a group a line, its phrases parted by tabs.
  ///
  /// - Throws: `FileError` if it cannot be read or a line has fewer than two phrases.
  public init(path: String) throws {
    var groups: [[String]] = []
    let lines = try TextFile.lines(path: path)
    for (index, line) in lines.enumerated() where !line.isEmpty {
      let phrases = line.split(separator: "\t").map(String.init)
      guard phrases.count > 1 else {
        throw FileError(
          .malformed, path: path, problem: "line \(index + 1) has one phrase",
          advice: "put two or more phrases on a line, parted by tabs")
      }
      groups.append(phrases)
    }
    self.init(groups)
  }

  /// Each phrase of a prompt that belongs to a group, with its alternatives.
  public func choices(in prompt: String) -> [Choice] {
    finder.matches(in: prompt).map { match in
      var seen: Set<String> = [match.phrase]
      let others = places[match.phrase, default: []].flatMap { groups[$0] }
        .filter { seen.insert(PhraseFinder.normalized($0)).inserted }
      let texts = others.map { prompt.replacingCharacters(in: match.range, with: $0) }
      return Choice(phrase: match.phrase, texts: [prompt] + texts)
    }
  }

  /// Whether both have the same phrases in the same order.
  public static func == (left: PhraseGroups, right: PhraseGroups) -> Bool {
    left.groups == right.groups
  }
}
