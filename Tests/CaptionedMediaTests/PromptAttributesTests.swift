import CaptionedMedia
import TestSupport
import Testing

@Suite struct PromptAttributesTests {
  @Test(arguments: Goldens.dollFolders) func captionsParseBack(folder: String) throws {
    let composer = try DollComposer(folder: folder)
    let parser = PromptParser(composer.catalog)
    for index in 0..<5_000 {
      let doll = composer.doll(seed: 2, index: index, pairs: .all)
      let mentioned = Set(
        DollSlot.allCases.enumerated().filter { place, slot in
          !slot.isOptional || (index >> place) & 1 == 1
        }.map(\.element))
      let caption = doll.caption(mentioning: mentioned)
      let attributes = parser.attributes(in: caption).attributes
      let expected = doll.items.filter { mentioned.contains($0.slot) }
      #expect(attributes.map(\.phrase) == expected.map(\.phrase), "\(caption)")
      for (attribute, item) in zip(attributes, expected) {
        #expect(attribute.slots.contains(AttributeSlot(item.slot)), "\(caption)")
        #expect(attribute.slots.count == 1 || item.phrase == "dagger", "\(caption)")
        #expect(attribute.isPresent(in: doll))
      }
    }
  }

  @Test func captionsMentionASharedPartOfTheItems() throws {
    let composer = try DollComposer(folder: Goldens.dolls)
    var (mentioned, present) = (0, 0)
    for index in 0..<20_000 {
      let doll = composer.doll(seed: 2, index: index)
      let caption = composer.caption(of: doll, seed: 2, index: index)
      mentioned += PromptParser(composer.catalog).attributes(in: caption).attributes.count - 2
      present += doll.items.count - 2
    }
    #expect(abs(Double(mentioned) / Double(present) - 0.6) < 0.01)
  }

  @Test func longestPhrasesWinAndOtherWordsAreIgnored() throws {
    let catalog = try DollCatalog(folder: Goldens.dolls)
    func parsed(_ prompt: String) -> [String] {
      PromptAttributes(parsing: prompt, catalog: catalog).attributes.map { attribute in
        attribute.slots.map(\.rawValue).joined(separator: "/") + " " + attribute.phrase
      }
    }
    #expect(parsed("") == [])
    #expect(parsed("a photo of a cat, 4k 🙂") == [])
    #expect(
      parsed("An ELF in black and gold plate armour!") == [
        "base elf", "body black and gold plate armour",
      ])
    #expect(
      parsed("a human in gold plate armour, black") == ["base human", "body gold plate armour"])
    #expect(
      parsed("a skull staff and a skull shield") == ["hand1 skull staff", "hand2 skull shield"])
    #expect(parsed("a skull, a shield") == ["hand1 skull"])
    #expect(parsed("a human, an elf") == ["base human"])
    // A dagger may be in either hand until the other one has something.
    #expect(parsed("holding a dagger") == ["hand1/hand2 dagger"])
    #expect(parsed("holding a dagger and a red book") == ["hand1 dagger", "hand2 red book"])
    #expect(parsed("holding an axe and a dagger") == ["hand1 axe", "hand2 dagger"])
    #expect(parsed("holding a dagger and a dagger") == ["hand1 dagger", "hand2 dagger"])
  }

  /// A catalog of a human in a robe and other rows of `captions.tsv`.
  private func catalog(_ rows: String...) throws -> DollCatalog {
    let folder = try TemporaryFolder()
    let header = "layer\tfile\tphrase\tnoun\tcolour"
    let needed = ["base\tman.png\thuman\thuman\t", "body\trobe.png\trobe\trobe\t"]
    try folder.write(
      ([header] + needed + rows).joined(separator: "\n") + "\n", to: "captions.tsv")
    try folder.write("layer_a\tfile_a\tlayer_b\tfile_b\n", to: "forbidden.tsv")
    return try DollCatalog(folder: folder.path)
  }

  @Test func phrasesKeepTheCatalogsSpelling() throws {
    let catalog = try catalog(
      "hand1\tsword.png\ttwo-handed sword\tsword\t", "head\that.png\tWizard's hat\that\t")
    let doll = Doll(catalog.items)
    for prompt in [doll.caption(), "HUMAN, robe: two handed sword; wizard's HAT"] {
      let asked = PromptAttributes(parsing: prompt, catalog: catalog)
      #expect(
        asked.attributes.map(\.phrase) == ["human", "robe", "two-handed sword", "Wizard's hat"],
        "\(prompt)")
      #expect(asked[.hand1] == "two-handed sword")
      #expect(asked.fraction(presentIn: doll) == 1)
    }
  }

  @Test func phrasesThatPromptsCannotTellApartAreRefused() {
    let error = #expect(throws: CaptionedDataError.self) {
      try catalog(
        "hand1\tsword.png\ttwo-handed sword\tsword\t",
        "hand1\tother.png\tTwo handed sword\tsword\t")
    }
    #expect(error?.row == 5)
    #expect(error?.problem.contains("'two-handed sword'") == true)
    #expect(error?.problem.contains("'Two handed sword'") == true)
  }

  @Test func attributesAreFoundInDolls() throws {
    let catalog = try DollCatalog(folder: Goldens.dolls)
    let doll = Doll(
      catalog.items.filter {
        ["base/elf.png", "body/coat.png", "hand2/dagger.png"].contains(
          "\($0.slot.rawValue)/\($0.file)")
      })
    func fraction(_ prompt: String) -> Double {
      PromptAttributes(parsing: prompt, catalog: catalog).fraction(presentIn: doll)
    }
    #expect(fraction("an elf in a dark blue coat holding a dagger") == 1)
    #expect(fraction("an elf in a blue robe holding a dagger and a red book") == 0.25)
    #expect(fraction("a skull") == 0)
    #expect(fraction("hello") == 1)
    let attributes = PromptAttributes(parsing: "an elf with a dagger", catalog: catalog)
    #expect(attributes[.base] == "elf")
    #expect(attributes[.hand2] == nil && attributes[.body] == nil)
  }
}
