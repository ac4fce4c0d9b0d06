/// A place that one of several phrases may fill: what a doll holds in a hand, what a character wears
/// or does.
public struct AttributeSlot: RawRepresentable, Codable, CodingKeyRepresentable, Hashable, Sendable {
  /// Its name.
  public let rawValue: String

  /// A slot of that name.
  public init(rawValue: String) { self.rawValue = rawValue }
}

/// Something that a prompt asks for.
public struct PromptAttribute: Codable, Hashable, Sendable {
  /// Where it may be; more than one slot if the prompt leaves it open, as `holding a dagger` does.
  public let slots: [AttributeSlot]
  /// What it is, as the catalog spells it.
  public let phrase: String

  /// Describes what is asked for.
  public init(slots: [AttributeSlot], phrase: String) {
    self.slots = slots
    self.phrase = phrase
  }

  /// Whether what has these phrases in its slots has it.
  public func isPresent(in phrases: [AttributeSlot: String]) -> Bool {
    slots.contains { phrases[$0] == phrase }
  }
}

/// The items that a caption or a prompt mentions.
public struct PromptAttributes: Codable, Hashable, Sendable {
  /// What is asked for, in the order of the slots; a slot is asked for once.
  public let attributes: [PromptAttribute]

  /// - Parameter places: the place of each slot in that order.
  fileprivate init(_ attributes: [PromptAttribute], places: [AttributeSlot: Int]) {
    self.attributes = attributes.sorted {
      (places[$0.slots[0]] ?? 0, $0.slots.count) < (places[$1.slots[0]] ?? 0, $1.slots.count)
    }
  }

  /// The phrase asked for in a slot; nil if there is none or the prompt leaves the slot open.
  public subscript(slot: AttributeSlot) -> String? {
    attributes.first { $0.slots == [slot] }?.phrase
  }

  /// The fraction of what is asked for that phrases in slots have; 1 if nothing is.
  public func fraction(presentIn phrases: [AttributeSlot: String]) -> Double {
    guard !attributes.isEmpty else { return 1 }
    return Double(attributes.count { $0.isPresent(in: phrases) }) / Double(attributes.count)
  }
}

/// Finds phrases in prompts; made once for many prompts.
public struct PromptParser: Sendable {
  /// What may be asked for, by its phrase as the finder has it.
  private let known: [String: PromptAttribute]
  private let finder: PhraseFinder
  /// The place of each slot in the order that they were given in.
  private let places: [AttributeSlot: Int]

  /// Takes the phrases of some slots, such as a classifier's classes; those that texts cannot tell
  /// apart must be spelled alike.
  public init(phrases: [(slot: AttributeSlot, phrases: [String])]) {
    var known: [String: PromptAttribute] = [:]
    for (slot, phrases) in phrases {
      for phrase in phrases {
        let words = PhraseFinder.normalized(phrase)
        let spelling = known[words]?.phrase ?? phrase
        precondition(spelling == phrase, "texts cannot tell '\(phrase)' from '\(spelling)'")
        known[words] = PromptAttribute(slots: (known[words]?.slots ?? []) + [slot], phrase: phrase)
      }
    }
    self.known = known
    places = Dictionary(
      phrases.enumerated().map { ($1.slot, $0) }, uniquingKeysWith: { first, _ in first })
    finder = PhraseFinder(known.keys)
  }

  /// The items that a prompt mentions; the longest phrase wherever several begin;
  /// words that belong to none are ignored, and so is a second phrase for a slot.
  public func attributes(in prompt: String) -> PromptAttributes {
    // 1. Phrases in the order of the text.
    let found = finder.matches(in: prompt).compactMap { known[$0.phrase] }

    // 2. Phrases of one slot take theirs. What fits several takes what is left, as in "holding a
    // dagger and a torch", or stays open. Two equal ones fill the slots one after the other.
    var taken: Set<AttributeSlot> = []
    var attributes: [PromptAttribute] = []
    for item in found where item.slots.count == 1 && taken.insert(item.slots[0]).inserted {
      attributes.append(item)
    }
    for (phrase, group) in Dictionary(grouping: found.filter { $0.slots.count > 1 }, by: \.phrase)
      .sorted(by: { $0.key < $1.key })
    {
      let free = group[0].slots.filter { !taken.contains($0) }
      if free.isEmpty { continue }
      if group.count < free.count {
        attributes.append(PromptAttribute(slots: free, phrase: phrase))
      } else {
        for slot in free { attributes.append(PromptAttribute(slots: [slot], phrase: phrase)) }
        taken.formUnion(free)
      }
    }
    return PromptAttributes(attributes, places: places)
  }
}

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
