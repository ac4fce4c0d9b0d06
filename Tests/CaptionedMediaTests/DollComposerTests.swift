import CaptionedMedia
import Configuration
import Foundation
import Media
import TestSupport
import Testing

@Suite struct DollComposerTests {
  @Test func imagesAndCaptionsEqualThoseOfPillow() throws {
    let compositions = try Goldens.compositions()
    #expect(compositions.count == 12)
    for composition in compositions {
      let color = composition.background
      let composer = try DollComposer(
        folder: Goldens.dolls, background: Color(red: color[0], green: color[1], blue: color[2]))
      let doll = composition.doll(in: composer.catalog)
      #expect(doll.items.count == composition.files.count)
      #expect(doll.caption() == composition.caption)
      let image = composer.image(of: doll)
      #expect("\(image)" == "32x32 RGB image")
      #expect(image.samples == Array(composition.samples))
    }
  }

  @Test func heldOutExamplesHaveTheCaptionsOfTheirDolls() throws {
    for folder in Goldens.dollFolders {
      let catalog = try DollCatalog(folder: folder)
      #expect(catalog.heldOutExamples.count == catalog.heldOutPairs.count)
      #expect(!catalog.heldOutExamples.isEmpty)
      for example in catalog.heldOutExamples {
        #expect(example.doll.caption() == example.caption)
        #expect(catalog.isHeldOut(example.doll))
      }
    }
  }

  @Test func drawsDependOnSeedAndIndexAlone() throws {
    let composer = try DollComposer(folder: Goldens.dolls)
    let other = try DollComposer(folder: Goldens.dolls)
    let dolls = (0..<50).map { composer.doll(seed: 3, index: $0) }
    #expect((0..<50).reversed().map { other.doll(seed: 3, index: $0) }.reversed() == dolls)
    #expect((0..<50).map { composer.doll(seed: 4, index: $0) } != dolls)
    #expect(Set(dolls).count > 30)
    let captions = zip(dolls, 0...).map { composer.caption(of: $0, seed: 3, index: $1) }
    #expect(zip(dolls, 0...).map { other.caption(of: $0, seed: 3, index: $1) } == captions)
    #expect(zip(dolls, 0...).map { other.caption(of: $0, seed: 5, index: $1) } != captions)
  }

  @Test func dollsAndCatalogsAreCodable() throws {
    let composer = try DollComposer(folder: Goldens.dolls)
    let doll = composer.doll(seed: 1, index: 1)
    let catalog = composer.catalog
    let encoder = JSONEncoder()
    #expect(try JSONDecoder().decode(Doll.self, from: encoder.encode(doll)) == doll)
    #expect(try JSONDecoder().decode(DollCatalog.self, from: encoder.encode(catalog)) == catalog)
    try composer.validate(doll)
    let stranger = Doll([
      DollItem(slot: .base, file: "ghost.png", phrase: "ghost", noun: "ghost", color: "")
    ])
    #expect(throws: CaptionedDataError.self) { try composer.validate(stranger) }
  }

  @Test func brokenFoldersAreRefusedByFileAndRow() throws {
    /// The message for a copy of the folder in which one file was changed.
    func message(
      _ file: String, replacing old: String = "", with new: String = "",
      distribution: DollDistribution = DollDistribution()
    ) throws -> String {
      let scratch = try TemporaryFolder(copying: Goldens.dolls)
      if old.isEmpty {
        try FileManager.default.removeItem(atPath: scratch.file(file))
      } else {
        let text = try String(contentsOfFile: scratch.file(file), encoding: .utf8)
        #expect(text.contains(old))
        try scratch.write(text.replacingOccurrences(of: old, with: new), to: file)
      }
      do {
        _ = try DollComposer(folder: scratch.path, distribution: distribution)
      } catch {
        return "\(error)"
      }
      return "nothing was refused"
    }
    func expect(_ message: String, has parts: String...) {
      for part in parts { #expect(message.contains(part), "\(message)") }
      #expect(!message.contains("\n"))
    }
    expect(try message("captions.tsv"), has: "captions.tsv", "No such file")
    expect(try message("head/crown.png"), has: "captions.tsv: row 24", "head/crown.png")
    expect(
      try message("captions.tsv", replacing: "hand1\taxe.png\taxe\taxe\t", with: "hand1\taxe.png"),
      has: "captions.tsv: row 15", "2 values, expected 5")
    expect(
      try message("captions.tsv", replacing: "boots\tred.png", with: "\nshoes\tred.png"),
      has: "captions.tsv: row 9", "no layer 'shoes'", "boots")
    expect(
      try message("captions.tsv", replacing: "phrase\t", with: "words\t"),
      has: "captions.tsv: row 1", "'phrase'")
    expect(
      try message("captions.tsv", replacing: "woman.png", with: "man.png"),
      has: "captions.tsv: row 5", "base/man.png again")
    expect(
      try message(
        "forbidden.tsv", replacing: "hair\tlong.png\thead\that", with: "hair\tlong.png\thead\thut"),
      has: "forbidden.tsv: row 4", "'head/hut.png'")
    expect(
      try message("heldout_pairs.tsv", replacing: "blue robe", with: "blue rope"),
      has: "heldout_pairs.tsv: row 2", "did you mean 'blue robe'?")
  }

  @Test func settingsOutOfRangeAreRefused() throws {
    var distribution = DollDistribution()
    distribution.presence[.head] = 1.5
    #expect(throws: ConfigurationError.self) {
      try DollComposer(folder: Goldens.dolls, distribution: distribution)
    }
    distribution = DollDistribution()
    func refusal(_ change: (inout DollDistribution) -> Void) -> String? {
      var distribution = DollDistribution()
      change(&distribution)
      let error = #expect(throws: ConfigurationError.self) {
        try DollComposer(folder: Goldens.dolls, distribution: distribution)
      }
      return error?.description
    }
    for exponent in [-1_000, 11, Double.nan] {
      #expect(
        refusal { $0.exponent = exponent }?.contains(
          "'exponent': found \(exponent), expected -10 to 10") == true)
    }
    for factor in [0, 1e300] {
      #expect(
        refusal { $0.baseEmphasis = ["human": factor] }?.contains("baseEmphasis.human") == true)
    }
    distribution.baseEmphasis = ["elv": 2]
    #expect {
      try DollComposer(folder: Goldens.dolls, distribution: distribution)
    } throws: {
      "\($0)".contains("did you mean 'elf'?")
    }
  }
}
