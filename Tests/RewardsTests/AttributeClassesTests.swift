import CaptionedMedia
import Files
import Testing

@testable import Rewards

@Suite struct AttributeClassesTests {
  /// What is seen and what is asked for are compared as the classes are spelled.
  @Test func phrasesWithPunctuationAreSeen() throws {
    let classes: [(slot: AttributeSlot, phrases: [String])] = [
      (.hand1, ["two-handed sword"]), (.hand2, ["two-handed sword", "Wizard's book"]),
    ]
    let parser = PromptParser(phrases: classes)
    let wanted = parser.attributes(in: "holding a Two-Handed sword and a wizard's book")
    #expect(wanted.attributes.count == 2)
    let seen = SeenAttributes(phrases: [.hand1: "two-handed sword", .hand2: "Wizard's book"])
    for attribute in wanted.attributes { #expect(seen.shows(attribute)) }
    #expect(seen.fraction(of: wanted) == 1)
    #expect(seen.fraction(of: parser.attributes(in: "nothing")) == nil)
    let probabilities = AttributeProbabilities([.hand2: ["Wizard's book": 0.5]])
    let book = try #require(wanted[.hand2])
    #expect(probabilities.probability(of: book, in: .hand2) == 0.5)
  }

  private func read(_ slots: (slot: String, phrases: [JSONValue])...) throws -> AttributeClasses {
    let json = JSONValue.array(
      slots.map { .object(["slot": .string($0.slot), "phrases": .array($0.phrases)]) })
    return try AttributeClasses(json: json, path: "config.json")
  }

  @Test func phrasesThatCannotBeToldApartAreRefused() throws {
    let sound = try read(("hand1", ["axe", "dagger"]), ("hand2", ["dagger"]))
    #expect(sound.count == 5)
    let twice = #expect(throws: FileError.self) { try read(("hand1", ["axe", "dagger", "axe"])) }
    #expect(twice?.problem.contains("'axe' twice") == true)
    let alike = #expect(throws: FileError.self) {
      try read(("hand1", ["two-handed sword"]), ("hand2", ["Two handed sword"]))
    }
    #expect(alike?.problem.contains("'two-handed sword'") == true)
  }
}
