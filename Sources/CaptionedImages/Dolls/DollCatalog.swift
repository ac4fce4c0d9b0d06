/// Everything about a set of paper dolls but the pixels: items, and what may not go together.
public struct DollCatalog: Codable, Hashable, Sendable {
  /// Clothes and a thing in the right-hand side of the picture that no training picture combines.
  public struct HeldOutPair: Codable, Hashable, Sendable {
    /// A phrase of the slot `body`.
    public let body: String
    /// A phrase of the slot `hand2`.
    public let hand2: String
  }

  /// A caption of the test set and the doll that it describes.
  public struct Example: Codable, Hashable, Sendable {
    /// The words.
    public let caption: String
    /// The character.
    public let doll: Doll
  }

  /// Two items that must not be in one picture, by their positions in `items`.
  public struct ForbiddenPair: Codable, Hashable, Sendable {
    /// The first position.
    public let first: Int
    /// The second position.
    public let second: Int
  }

  /// Every item, in the order of the file that lists them.
  public let items: [DollItem]
  /// The pairs that must not be in one picture.
  public let forbiddenPairs: [ForbiddenPair]
  /// The pairs that training must not show.
  public let heldOutPairs: [HeldOutPair]
  /// Test captions with held-out pairs.
  public let heldOutExamples: [Example]

  /// The items of a slot.
  public func items(of slot: DollSlot) -> [DollItem] { items.filter { $0.slot == slot } }

  /// The phrases of a slot, sorted, each once.
  public func phrases(of slot: DollSlot) -> [String] {
    Set(items(of: slot).map(\.phrase)).sorted()
  }

  /// Whether a doll combines what training must not show.
  public func isHeldOut(_ doll: Doll) -> Bool {
    guard let body = doll[.body], let hand2 = doll[.hand2] else { return false }
    return heldOutPairs.contains(HeldOutPair(body: body.phrase, hand2: hand2.phrase))
  }
}
