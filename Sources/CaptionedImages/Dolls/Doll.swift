/// One layer of a paper doll and the words for it.
public struct DollItem: Codable, Hashable, Sendable {
  /// Where it goes.
  public let slot: DollSlot
  /// The name of its file in the slot's folder.
  public let file: String
  /// What a caption calls it, without article; several files may share a phrase.
  public let phrase: String
  /// The kind of thing, which decides whether the phrase takes an article.
  public let noun: String
  /// The phrase's color; empty if it has none.
  public let color: String

  /// Describes a layer.
  public init(slot: DollSlot, file: String, phrase: String, noun: String, color: String) {
    self.slot = slot
    self.file = file
    self.phrase = phrase
    self.noun = noun
    self.color = color
  }
}

/// A character: the item chosen for each slot.
public struct Doll: Codable, Hashable, Sendable {
  /// The items from the lowest layer to the highest, at most one for a slot.
  public let items: [DollItem]

  /// Makes a doll of items for different slots, in any order.
  public init(_ items: [DollItem]) {
    self.items = items.sorted { $0.slot < $1.slot }
    precondition(
      Set(items.map(\.slot)).count == items.count,
      "a doll has at most one item for a slot, not \(self.items.map(\.slot.rawValue))")
  }

  /// The item of a slot; nil if there is none.
  public subscript(slot: DollSlot) -> DollItem? { items.first { $0.slot == slot } }
}
