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
