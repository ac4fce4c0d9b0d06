import Configuration
import Foundation
import Tensors

/// Draws dolls: slot after slot, each phrase by its weight among those that what was drawn before
/// allows, then one of the phrase's allowed files evenly.
struct DollSampler: Sendable {
  /// A phrase that can be drawn.
  struct Choice: Sendable {
    let weight: Double
    /// Positions of its files in the catalog.
    let files: [Int]
  }

  /// The order of drawing. Hair comes before headgear, which excludes it.
  static let order: [DollSlot] = [
    .base, .body, .legs, .boots, .cloak, .hair, .head, .hand1, .hand2,
  ]

  let items: [DollItem]
  private var choices: [[Choice]] = []
  private var presence: [Double] = []
  private var forbidden: [ItemSet]
  private var forbiddenOrHeldOut: [ItemSet]
  /// The files of each held-out pair that may go together.
  private var heldOutFiles: [[(body: Int, hand2: Int)]] = []

  init(catalog: DollCatalog, distribution: DollDistribution) {
    items = catalog.items
    forbidden = Array(repeating: ItemSet(capacity: items.count), count: items.count)
    for pair in catalog.forbiddenPairs {
      forbidden[pair.first].insert(pair.second)
      forbidden[pair.second].insert(pair.first)
    }
    forbiddenOrHeldOut = forbidden
    for slot in DollSampler.order {
      presence.append(slot.isOptional ? distribution.presence[slot] ?? 0 : 1)
      choices.append(
        distribution.weights(of: slot, in: catalog).map { phrase, weight in
          Choice(
            weight: weight,
            files: items.indices.filter { items[$0].slot == slot && items[$0].phrase == phrase })
        })
    }
    for pair in catalog.heldOutPairs {
      let bodies = items.indices.filter { items[$0].slot == .body && items[$0].phrase == pair.body }
      let hands = items.indices.filter {
        items[$0].slot == .hand2 && items[$0].phrase == pair.hand2
      }
      let pairs = bodies.flatMap { body in hands.map { (body: body, hand2: $0) } }
      for (body, hand2) in pairs {
        forbiddenOrHeldOut[body].insert(hand2)
        forbiddenOrHeldOut[hand2].insert(body)
      }
      let allowed = pairs.filter { !forbidden[$0.body].contains($0.hand2) }
      if !allowed.isEmpty { heldOutFiles.append(allowed) }
    }
  }

  /// Whether there is any held-out pair to draw.
  var hasHeldOutPairs: Bool { !heldOutFiles.isEmpty }

  /// The positions of the items of a random doll.
  func draw(_ pairs: PairSelection, random: inout RandomStream) -> [Int] {
    var kept: [DollSlot: Int?] = [:]
    if pairs == .heldOut {
      precondition(hasHeldOutPairs, "these dolls have no held-out pairs to draw")
      let files = heldOutFiles[random.integer(below: heldOutFiles.count)]
      let pair = files[random.integer(below: files.count)]
      kept = [.body: pair.body, .hand2: pair.hand2]
    }
    return draw(pairs, keeping: kept, random: &random)
  }

  /// The positions of the items of a doll like another, whose slots are drawn anew with a
  /// probability each; a held-out pair stays.
  func vary(
    _ doll: [Int], changeProbability: Double, _ pairs: PairSelection, random: inout RandomStream
  ) -> [Int] {
    var kept: [DollSlot: Int?] = [:]
    for slot in DollSampler.order {
      // One number for every slot, so that a slot's fate does not depend on what the doll has.
      let changes = Double.random(in: 0..<1, using: &random) < changeProbability
      let isHeldOut = pairs == .heldOut && (slot == .body || slot == .hand2)
      if !changes || isHeldOut {
        kept.updateValue(doll.first { items[$0].slot == slot }, forKey: slot)
      }
    }
    let drawn = draw(pairs, keeping: kept, random: &random)
    // What is kept may allow none of what every doll must have.
    let isWhole = DollSlot.allCases.allSatisfy { slot in
      slot.isOptional || drawn.contains { items[$0].slot == slot }
    }
    return isWhole ? drawn : doll
  }

  /// Draws all slots but those given, which stay as they are, filled or empty.
  private func draw(
    _ pairs: PairSelection, keeping kept: [DollSlot: Int?], random: inout RandomStream
  ) -> [Int] {
    let masks = pairs == .training ? forbiddenOrHeldOut : forbidden
    var blocked = ItemSet(capacity: items.count)
    for case let position? in kept.values { blocked.formUnion(masks[position]) }
    var chosen: [Int] = []
    for (place, slot) in DollSampler.order.enumerated() {
      if let place = kept[slot] {
        if let position = place { chosen.append(position) }
        continue
      }
      guard Double.random(in: 0..<1, using: &random) < presence[place],
        let position = pick(choices[place], blocked: blocked, random: &random)
      else { continue }
      chosen.append(position)
      blocked.formUnion(masks[position])
    }
    return chosen
  }

  private func pick(
    _ choices: [Choice], blocked: ItemSet, random: inout RandomStream
  ) -> Int? {
    var total = 0.0
    for choice in choices where choice.files.contains(where: { !blocked.contains($0) }) {
      total += choice.weight
    }
    guard total > 0 else { return nil }
    var rest = Double.random(in: 0..<total, using: &random)
    var last: Choice?
    for choice in choices where choice.files.contains(where: { !blocked.contains($0) }) {
      last = choice
      rest -= choice.weight
      if rest < 0 { break }
    }
    // Rounding may leave a rest above 0 after the last choice, which is then the one.
    guard let files = last?.files.filter({ !blocked.contains($0) }) else { return nil }
    return files[random.integer(below: files.count)]
  }
}

/// A set of positions as bits.
struct ItemSet: Sendable {
  private var words: [UInt64]

  init(capacity: Int) { words = Array(repeating: 0, count: (capacity + 63) / 64) }

  func contains(_ position: Int) -> Bool { words[position / 64] >> (position % 64) & 1 != 0 }

  mutating func insert(_ position: Int) { words[position / 64] |= 1 << (position % 64) }

  mutating func formUnion(_ other: ItemSet) {
    for index in words.indices { words[index] |= other.words[index] }
  }
}

/// How often a drawn doll has what, and how much of it a caption tells.
public struct DollDistribution: Settings {
  /// An item's weight is its rank to the power of minus this; 0 draws evenly.
  @Setting(-10...10) public var exponent = 0.7
  /// Decides the rank of each phrase in its slot.
  ///
  /// With the default, humans, swords, blue round shields and red robes are common, and the black
  /// hooded robe, which hides most of a doll, is rare.
  public var rankSeed: UInt64 = 51_997
  /// How many times as often as its rank says a phrase of the slot `base` is drawn.
  ///
  /// Hair and closed helmets go with humans only.
  public var baseEmphasis: [String: Double] = ["human": 3]
  /// The probability that an optional slot is filled, where anything in it is allowed.
  public var presence: [DollSlot: Double] = [
    .legs: 0.25, .boots: 0.25, .cloak: 0.4, .hair: 0.15, .head: 0.45, .hand1: 0.7, .hand2: 0.7,
  ]
  /// The probability that a caption mentions an optional item.
  @Setting(.fraction) public var mentionProbability = 0.6

  /// The defaults: those of the data's README, made uneven.
  public init() {}

  /// Weights and their sums are numbers, and the minimum is not 0.
  public func checkRelations() throws {
    for (slot, probability) in presence.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
      let key = "presence.\(slot.rawValue)"
      try ConfigurationError.require(
        (0...1).contains(probability), key, probability, "0 to 1")
      try ConfigurationError.require(
        slot.isOptional, key, probability, "nothing: every doll has one, remove the key")
    }
    for (phrase, factor) in baseEmphasis.sorted(by: { $0.key < $1.key }) {
      try ConfigurationError.require(
        (1e-6...1e6).contains(factor), "baseEmphasis.\(phrase)", factor, "0.000001 to 1000000")
    }
  }

  /// The phrases of a slot from the most frequent to the rarest, before emphasis: a random order
  /// that depends on `rankSeed`, the slot and the set of phrases alone.
  public func rankedPhrases(of slot: DollSlot, in catalog: DollCatalog) -> [String] {
    let phrases = catalog.phrases(of: slot)
    var random = RandomStream(seed: rankSeed, purpose: "doll ranks of \(slot.rawValue)")
    return random.permutation(phrases.count).map { phrases[$0] }
  }

  /// The weight of each phrase of a slot, the most frequent first.
  func weights(of slot: DollSlot, in catalog: DollCatalog) -> [(phrase: String, weight: Double)] {
    rankedPhrases(of: slot, in: catalog).enumerated().map { rank, phrase in
      let emphasis = slot == .base ? baseEmphasis[phrase] ?? 1 : 1
      return (phrase, pow(Double(rank + 1), -exponent) * emphasis)
    }
  }
}
