import Tensors

extension Doll {
  /// The doll in words: `a human in a red shirt and gold boots, holding a spear and a torch`.
  ///
  /// The grammar is `<base>[ with <hair>] in <body>[, <legs>][ and <boots>][, with <cloak>]
  /// [, wearing <head>][, holding <hand1>[ and <hand2>]]`. Base and body are always mentioned,
  /// other items only if their slot is among `slots`.
  public func caption(mentioning slots: Set<DollSlot> = Set(DollSlot.allCases)) -> String {
    func words(_ slot: DollSlot) -> String? {
      guard !slot.isOptional || slots.contains(slot) else { return nil }
      return self[slot]?.phraseWithArticle
    }
    var text = words(.base) ?? "nobody"
    if let hair = words(.hair) { text += " with \(hair)" }
    let clothes = [DollSlot.body, .legs, .boots].compactMap(words)
    if let last = clothes.last {
      let first = clothes.dropLast().joined(separator: ", ")
      text += " in " + (first.isEmpty ? last : "\(first) and \(last)")
    }
    if let cloak = words(.cloak) { text += ", with \(cloak)" }
    if let head = words(.head) { text += ", wearing \(head)" }
    let hands = [DollSlot.hand1, .hand2].compactMap(words)
    if !hands.isEmpty { text += ", holding " + hands.joined(separator: " and ") }
    return text
  }

  /// The doll in words, each optional item mentioned with the given probability.
  public func caption(mentionProbability: Double, random: inout RandomStream) -> String {
    var slots: Set<DollSlot> = []
    // One draw for every slot, so that a slot's draw does not depend on what the doll has.
    for slot in DollSlot.allCases where slot.isOptional {
      if Double.random(in: 0..<1, using: &random) < mentionProbability { slots.insert(slot) }
    }
    return caption(mentioning: slots)
  }
}

extension DollItem {
  /// Nouns in the plural, and those that cannot be counted.
  private static let nounsWithoutArticle: Set<String> = [
    "scale armour", "plate armour", "chain mail", "trousers", "boots", "hair", "pigtails",
  ]

  /// The phrase as a caption has it: `an axe`, `red boots`.
  public var phraseWithArticle: String {
    if DollItem.nounsWithoutArticle.contains(noun) { return phrase }
    let startsWithVowel = phrase.first.map("aeiou".contains) ?? false
    return (startsWithVowel ? "an " : "a ") + phrase
  }
}

/// Something that a prompt asks for.
public struct PromptAttribute: Codable, Hashable, Sendable {
  /// Where it may be; more than one slot if the prompt leaves it open, as `holding a dagger` does.
  public let slots: [DollSlot]
  /// What it is, as the catalog spells it.
  public let phrase: String

  /// Describes what is asked for.
  public init(slots: [DollSlot], phrase: String) {
    self.slots = slots
    self.phrase = phrase
  }

  /// Whether a doll has it.
  public func isPresent(in doll: Doll) -> Bool {
    slots.contains { doll[$0]?.phrase == phrase }
  }
}

/// The items that a caption or a prompt mentions.
public struct PromptAttributes: Codable, Hashable, Sendable {
  /// What is asked for, by slot from the lowest layer to the highest; a slot is asked for once.
  public let attributes: [PromptAttribute]

  /// Finds the catalog's phrases in a text, the longest wherever several begin; words that belong
  /// to none are ignored, and so is a second phrase for a slot.
  public init(parsing prompt: String, catalog: DollCatalog) {
    self = PromptParser(catalog).attributes(in: prompt)
  }

  fileprivate init(_ attributes: [PromptAttribute]) {
    self.attributes = attributes.sorted {
      ($0.slots[0], $0.slots.count) < ($1.slots[0], $1.slots.count)
    }
  }

  /// The phrase asked for in a slot; nil if there is none or the prompt leaves the slot open.
  public subscript(slot: DollSlot) -> String? {
    attributes.first { $0.slots == [slot] }?.phrase
  }

  /// The fraction of what is asked for that a doll has; 1 if nothing is.
  public func fraction(presentIn doll: Doll) -> Double {
    guard !attributes.isEmpty else { return 1 }
    return Double(attributes.count { $0.isPresent(in: doll) }) / Double(attributes.count)
  }
}

/// Finds phrases in prompts; made once for many prompts.
public struct PromptParser: Sendable {
  /// What may be asked for, by its phrase as the finder has it.
  private let known: [String: PromptAttribute]
  private let finder: PhraseFinder

  /// Takes the phrases of a catalog.
  public init(_ catalog: DollCatalog) {
    self.init(phrases: DollSlot.allCases.map { ($0, catalog.phrases(of: $0)) })
  }

  /// Takes the phrases of some slots, such as a classifier's classes; those that texts cannot tell
  /// apart must be spelled alike.
  public init(phrases: [(slot: DollSlot, phrases: [String])]) {
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
    finder = PhraseFinder(known.keys)
  }

  /// The items that a prompt mentions; see `PromptAttributes(parsing:catalog:)`.
  public func attributes(in prompt: String) -> PromptAttributes {
    // 1. Phrases in the order of the text.
    let found = finder.matches(in: prompt).compactMap { known[$0.phrase] }

    // 2. Phrases of one slot take theirs. What fits several takes what is left, as in "holding a
    // dagger and a torch", or stays open. Two equal ones fill the slots one after the other.
    var taken: Set<DollSlot> = []
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
    return PromptAttributes(attributes)
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
