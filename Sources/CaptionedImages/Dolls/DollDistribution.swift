import Configuration
import Foundation
import Tensors

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
