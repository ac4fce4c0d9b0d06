import CaptionedImages
import Testing

@testable import Rewards

@Suite struct AttributeClassesTests {
  /// What is seen and what is asked for are compared as the classes are spelled.
  @Test func phrasesWithPunctuationAreSeen() throws {
    let classes: [(slot: DollSlot, phrases: [String])] = [
      (.hand1, ["two-handed sword"]), (.hand2, ["two-handed sword", "Wizard's book"]),
    ]
    let parser = PromptParser(phrases: classes)
    let wanted = parser.attributes(in: "holding a Two-Handed sword and a wizard's book")
    #expect(wanted.attributes.count == 2)
    let seen = SeenAttributes(phrases: [.hand1: "two-handed sword", .hand2: "Wizard's book"])
    for attribute in wanted.attributes { #expect(seen.shows(attribute)) }
    let probabilities = AttributeProbabilities([.hand2: ["Wizard's book": 0.5]])
    let book = try #require(wanted[.hand2])
    #expect(probabilities.probability(of: book, in: .hand2) == 0.5)
  }
}
