import Configuration
import Foundation
import Tensors

/// How often a drawn character has what, how much of it a caption tells, and what training never
/// shows.
public struct SpriteDistribution: Settings {
  /// The weight of an item, or an action, is its rank to the power of minus this; 0 draws evenly.
  @Setting(-10...10) public var exponent = 1.0
  /// Decides the rank of each phrase in its slot.
  public var rankSeed: UInt64 = 7
  /// The probability that a caption mentions hair, topwear, bottomwear or shoes that are seen.
  @Setting(.fraction) public var mentionProbability = 0.7
  /// The probability that a caption mentions the action.
  @Setting(.fraction) public var actionMentionProbability = 0.9
  /// Pairs of an action and hair that training never shows; at most half of all there are.
  @Setting(.notNegative) public var heldOutActionCount = 40
  /// Pairs of a body and topwear that training never shows; at most half of all there are.
  @Setting(.notNegative) public var heldOutTopwearCount = 20
  /// Decides which pairs those are.
  public var heldOutSeed: UInt64 = 7

  /// The defaults.
  public init() {}
}

/// Draws characters of sprite sheets: action and body first, then the other slots, each phrase by
/// its weight among those that what was drawn before allows.
public struct SpriteSampler: Sendable {
  /// Two phrases that no character of the training has together.
  public struct HeldOutPair: Codable, Hashable, Sendable {
    /// What a character does, with hair; or nil.
    public let action: String?
    /// Its body, with topwear; or nil.
    public let body: String?
    /// Its hair or topwear.
    public let item: String

    /// Whether a character has both.
    public func isPresent(in sprite: Sprite) -> Bool {
      if let action { return sprite.action.phrase == action && sprite[.hair].phrase == item }
      return sprite[.body].phrase == body && sprite[.topwear].phrase == item
    }
  }

  /// What is drawn from.
  public let composer: SpriteComposer
  /// How often a character has what.
  public let distribution: SpriteDistribution
  /// What training never shows.
  public let heldOutPairs: [HeldOutPair]

  /// A phrase with its weight.
  private struct Choice: Sendable {
    let phrase: String
    let weight: Double
  }

  private let actions: [Choice]
  private let choices: [SpriteSlot: [Choice]]

  /// Takes the sheets of a composer.
  ///
  /// - Throws: `ConfigurationError` for settings that do not fit.
  public init(_ composer: SpriteComposer, distribution: SpriteDistribution) throws {
    try distribution.validate()
    self.composer = composer
    self.distribution = distribution
    let catalog = composer.catalog
    actions = Self.ranked(catalog.actions.map(\.phrase), of: "action", distribution)
    choices = Dictionary(
      uniqueKeysWithValues: SpriteSlot.allCases.map { slot in
        (slot, Self.ranked(catalog.phrases(of: slot), of: slot.rawValue, distribution))
      })
    let hair = Self.pairs(
      catalog.actions.map(\.phrase), catalog.phrases(of: .hair),
      count: distribution.heldOutActionCount, of: "heldOutActionCount", distribution)
    let topwear = Self.pairs(
      catalog.phrases(of: .body), catalog.phrases(of: .topwear),
      count: distribution.heldOutTopwearCount, of: "heldOutTopwearCount", distribution)
    heldOutPairs =
      hair.map { HeldOutPair(action: $0, body: nil, item: $1) }
      + topwear.map { HeldOutPair(action: nil, body: $0, item: $1) }
  }

  /// Phrases with their weights, the most frequent first: an order that depends on the seed, the
  /// slot and the set of phrases alone.
  private static func ranked(
    _ phrases: [String], of slot: String, _ distribution: SpriteDistribution
  ) -> [Choice] {
    let phrases = phrases.sorted()
    var random = RandomStream(seed: distribution.rankSeed, purpose: "sprite ranks of \(slot)")
    return random.permutation(phrases.count).enumerated().map { rank, index in
      Choice(phrase: phrases[index], weight: pow(Double(rank + 1), -distribution.exponent))
    }
  }

  /// Pairs of phrases such that each phrase is in as many as any other of its kind, or one more; `kind`
  /// tells the draws apart.
  private static func pairs(
    _ first: [String], _ second: [String], count: Int, of kind: String,
    _ distribution: SpriteDistribution
  ) -> [(String, String)] {
    // Training must see every phrase with another.
    let count = min(count, first.count * second.count / 2)
    var random = RandomStream(seed: distribution.heldOutSeed, purpose: "held-out sprites \(kind)")
    let rows = random.permutation(first.count).map { first.sorted()[$0] }
    let columns = random.permutation(second.count).map { second.sorted()[$0] }
    // Along the diagonals of the table, which meet each row and column equally often; a diagonal
    // that comes back to its start goes on beside it.
    var lap = rows.count
    while lap % columns.count != 0 { lap += rows.count }
    return (0..<count).map { place in
      (rows[place % rows.count], columns[(place + place / lap) % columns.count])
    }
  }

  /// A random character.
  public func sprite(seed: UInt64, index: Int, pairs: PairSelection = .training) -> Sprite {
    var random = RandomStream(seed: seed, purpose: "sprite \(pairs.rawValue)", index: index)
    // What is drawn first may leave nothing that the sheets draw, or that may be shown.
    while true {
      if let sprite = draw(pairs, random: &random) { return sprite }
    }
  }

  private func draw(_ pairs: PairSelection, random: inout RandomStream) -> Sprite? {
    let wanted =
      pairs == .heldOut ? heldOutPairs[random.integer(below: heldOutPairs.count)] : nil
    func isHeldOut(action: String?, body: String?, _ item: String) -> Bool {
      pairs == .training
        && heldOutPairs.contains {
          $0.item == item && ($0.action != nil ? $0.action == action : $0.body == body)
        }
    }
    let catalog = composer.catalog
    guard
      let actionPhrase = wanted?.action ?? pick(actions, random: &random),
      let action = catalog.actions.first(where: { $0.phrase == actionPhrase })
    else { return nil }
    var items: [SpriteItem] = []
    var body: String?
    for slot in [SpriteSlot.body, .hair, .topwear, .bottomwear, .shoes] {
      func files(_ phrase: String) -> [SpriteItem] {
        catalog.items.filter {
          $0.slot == slot && $0.phrase == phrase && composer.isDrawn($0, in: action)
        }
      }
      let fixed: String? =
        switch slot {
        case .body: wanted?.body
        case .hair: wanted?.action == nil ? nil : wanted?.item
        case .topwear: wanted?.body == nil ? nil : wanted?.item
        case .bottomwear, .shoes: nil
        }
      let allowed = (choices[slot] ?? []).filter { choice in
        guard fixed == nil || fixed == choice.phrase, !files(choice.phrase).isEmpty else {
          return false
        }
        return switch slot {
        case .hair: !isHeldOut(action: actionPhrase, body: nil, choice.phrase)
        case .topwear: !isHeldOut(action: nil, body: body, choice.phrase)
        case .body, .bottomwear, .shoes: true
        }
      }
      guard let phrase = pick(allowed, random: &random) else { return nil }
      let candidates = files(phrase)
      items.append(candidates[random.integer(below: candidates.count)])
      if slot == .body { body = phrase }
    }
    return Sprite(items, action: action)
  }

  private func pick(_ choices: [Choice], random: inout RandomStream) -> String? {
    let total = choices.reduce(0) { $0 + $1.weight }
    guard total > 0 else { return nil }
    var rest = Double.random(in: 0..<total, using: &random)
    for choice in choices {
      rest -= choice.weight
      if rest < 0 { return choice.phrase }
    }
    // Rounding may leave a rest above 0 after the last choice, which is then the one.
    return choices.last?.phrase
  }

  /// A caption of a character, which leaves out some of what is seen and all that is not.
  public func caption(of sprite: Sprite, seed: UInt64, index: Int) -> String {
    var random = RandomStream(seed: seed, purpose: "sprite caption", index: index)
    let visible = composer.visibleSlots(of: sprite)
    var slots: Set<SpriteSlot> = []
    // One draw for every slot, so that a slot's draw does not depend on what is seen.
    for slot in SpriteSlot.allCases where slot != .body {
      let isMentioned =
        Double.random(in: 0..<1, using: &random) < distribution.mentionProbability
      if isMentioned && visible.contains(slot) { slots.insert(slot) }
    }
    let action =
      Double.random(in: 0..<1, using: &random) < distribution.actionMentionProbability
    return sprite.caption(mentioning: slots, action: action)
  }
}
