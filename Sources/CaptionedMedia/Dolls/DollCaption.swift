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

extension AttributeSlot {
  /// The slots of dolls.
  public static let cloak = AttributeSlot(DollSlot.cloak)
  /// What a doll is.
  public static let base = AttributeSlot(DollSlot.base)
  /// Its boots.
  public static let boots = AttributeSlot(DollSlot.boots)
  /// What it has on its legs.
  public static let legs = AttributeSlot(DollSlot.legs)
  /// The clothes of a doll, or what a character of a sprite sheet is.
  public static let body = AttributeSlot(DollSlot.body)
  /// The hand on the left of the image.
  public static let hand1 = AttributeSlot(DollSlot.hand1)
  /// The hand on the right of the image.
  public static let hand2 = AttributeSlot(DollSlot.hand2)
  /// Hair.
  public static let hair = AttributeSlot(DollSlot.hair)
  /// What a doll has on its head.
  public static let head = AttributeSlot(DollSlot.head)

  /// The slot of a doll.
  public init(_ slot: DollSlot) { self.init(rawValue: slot.rawValue) }
}

extension Doll {
  /// The phrase of each slot that is filled.
  public var attributes: [AttributeSlot: String] {
    Dictionary(uniqueKeysWithValues: items.map { (AttributeSlot($0.slot), $0.phrase) })
  }
}

extension DollCatalog {
  /// The slots that have any phrases, from the lowest layer to the highest.
  public var attributePhrases: [(slot: AttributeSlot, phrases: [String])] {
    DollSlot.allCases.map { (AttributeSlot($0), phrases(of: $0)) }.filter { !$0.phrases.isEmpty }
  }
}

extension PromptAttribute {
  /// Whether a doll has it.
  public func isPresent(in doll: Doll) -> Bool { isPresent(in: doll.attributes) }
}

extension PromptAttributes {
  /// Finds the catalog's phrases in a text, the longest wherever several begin; words that belong
  /// to none are ignored, and so is a second phrase for a slot.
  public init(parsing prompt: String, catalog: DollCatalog) {
    self = PromptParser(catalog).attributes(in: prompt)
  }

  /// The fraction of what is asked for that a doll has; 1 if nothing is.
  public func fraction(presentIn doll: Doll) -> Double { fraction(presentIn: doll.attributes) }
}

extension PromptParser {
  /// Takes the phrases of a catalog.
  public init(_ catalog: DollCatalog) { self.init(phrases: catalog.attributePhrases) }
}
