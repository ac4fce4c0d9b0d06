import CaptionedMedia
import Foundation
import Testing

/// The grammar on 100,000 dolls, evaluated by rules read apart from the sampler.
@Suite struct DollDistributionTests {
  private static let drawCount = 100_000
  private static let order: [DollSlot] = [
    .base, .body, .legs, .boots, .cloak, .hair, .head, .hand1, .hand2,
  ]

  /// Counts what was drawn, and what should have been.
  private struct Tally {
    var observed = 0.0, expected = 0.0, variance = 0.0

    mutating func add(_ happened: Bool, probability: Double) {
      observed += happened ? 1 : 0
      expected += probability
      variance += probability * (1 - probability)
    }

    /// The distance from the expectation in standard errors.
    var std: Double {
      variance > 0 ? (observed - expected) / variance.squareRoot() : observed - expected
    }
  }

  @Test(arguments: Goldens.dollFolders) func drawsFollowTheRules(folder: String) throws {
    let composer = try DollComposer(folder: folder)
    let catalog = composer.catalog
    let items = catalog.items
    let positions = Dictionary(uniqueKeysWithValues: zip(items, items.indices))
    var excluded = [[Bool]](
      repeating: [Bool](repeating: false, count: items.count), count: items.count)
    for pair in catalog.forbiddenPairs {
      excluded[pair.first][pair.second] = true
      excluded[pair.second][pair.first] = true
    }
    #expect(!catalog.forbiddenPairs.isEmpty && !catalog.heldOutPairs.isEmpty)
    for pair in catalog.heldOutPairs {
      for (first, body) in items.enumerated() where (body.slot, body.phrase) == (.body, pair.body) {
        for (second, hand) in items.enumerated()
        where (hand.slot, hand.phrase) == (.hand2, pair.hand2) {
          excluded[first][second] = true
          excluded[second][first] = true
        }
      }
    }
    // Weights by the settings' definition.
    let settings = composer.distribution
    #expect(settings.exponent == 0.7)
    var phrases: [DollSlot: [(phrase: String, weight: Double, files: [Int])]] = [:]
    for slot in DollSlot.allCases {
      phrases[slot] = settings.rankedPhrases(of: slot, in: catalog).enumerated().map {
        rank, phrase in
        let weight = pow(Double(rank + 1), -0.7) * (slot == .base && phrase == "human" ? 3 : 1)
        return (
          phrase, weight,
          items.indices.filter { items[$0].slot == slot && items[$0].phrase == phrase }
        )
      }
    }

    var faults = 0
    var tallies: [DollSlot: [String: Tally]] = [:]
    var presence: [DollSlot: Tally] = [:]
    for index in 0..<Self.drawCount {
      let doll = composer.doll(seed: 8, index: index)
      var chosen: [Int] = []
      for slot in Self.order {
        let options = (phrases[slot] ?? []).filter { option in
          option.files.contains { file in !chosen.contains { excluded[$0][file] } }
        }
        let item = doll[slot]
        if !options.isEmpty {
          presence[slot, default: Tally()].add(
            item != nil, probability: slot.isOptional ? settings.presence[slot] ?? 0 : 1)
        }
        guard let item else { continue }
        let total = options.reduce(0) { $0 + $1.weight }
        for option in options {
          tallies[slot, default: [:]][option.phrase, default: Tally()].add(
            option.phrase == item.phrase, probability: option.weight / total)
        }
        let position = try #require(positions[item])
        faults += chosen.count { excluded[$0][position] }
        chosen.append(position)
      }
      if doll[.base] == nil || doll[.body] == nil || catalog.isHeldOut(doll) { faults += 1 }
    }
    #expect(faults == 0)
    for slot in Self.order {
      let fraction = try #require(presence[slot]?.std)
      #expect(abs(fraction) < 5, "\(slot) is drawn \(fraction) standard errors off its probability")
      let counted = try #require(tallies[slot])
      // Every phrase can be drawn.
      #expect(counted.count == phrases[slot]?.count)
      for (phrase, tally) in counted {
        #expect(
          abs(tally.std) < 5 && tally.observed > 0,
          "\(phrase): \(tally.observed) times, expected \(tally.expected)")
      }
    }
  }

  @Test(arguments: Goldens.dollFolders) func heldOutDrawsHaveHeldOutPairs(folder: String) throws {
    let composer = try DollComposer(folder: folder)
    var seen: Set<[String]> = []
    for index in 0..<3_000 {
      let doll = composer.doll(seed: 8, index: index, pairs: .heldOut)
      #expect(composer.catalog.isHeldOut(doll))
      seen.insert([doll[.body]?.phrase ?? "", doll[.hand2]?.phrase ?? ""])
      for pair in composer.catalog.forbiddenPairs {
        let both = [pair.first, pair.second].map { composer.catalog.items[$0] }
        #expect(!both.allSatisfy { doll[$0.slot] == $0 })
      }
    }
    #expect(seen.count == composer.catalog.heldOutPairs.count)
  }

  @Test func ranksAndPresenceAreSettings() throws {
    let usual = DollDistribution()
    var other = usual
    other.rankSeed = 1
    other.exponent = 0
    other.presence[.head] = 0
    other.presence[.hand1] = 1
    let composer = try DollComposer(folder: Goldens.dolls, distribution: other)
    let orders = DollSlot.allCases.map { slot in
      [usual, other].map { $0.rankedPhrases(of: slot, in: composer.catalog) }
    }
    #expect(orders.contains { $0[0] != $0[1] })
    #expect(orders.allSatisfy { $0[0].sorted() == $0[1].sorted() })
    let dolls = (0..<500).map { composer.doll(seed: 0, index: $0) }
    #expect(dolls.allSatisfy { $0[.head] == nil && $0[.hand1] != nil })
  }
}
