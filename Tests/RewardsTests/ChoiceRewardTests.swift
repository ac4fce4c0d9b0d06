import Files
import Foundation
import Media
import Tensors
import TestSupport
import Testing

@testable import Rewards

@Suite struct ChoiceRewardTests {
  private let groups = PhraseGroups([
    ["a red robe", "a blue robe", "grey scale armour"], ["a dagger", "an axe"],
    ["a torch", "a Dagger"],
  ])

  /// Every phrase of the prompt, and the prompt with each of the others in its place.
  @Test func choicesAreThePromptWithOnePhraseChanged() {
    let choices = groups.choices(in: "An elf in a red  robe, holding a dagger")
    #expect(choices.map(\.phrase) == ["a red robe", "a dagger"])
    #expect(
      choices[0].texts == [
        "An elf in a red  robe, holding a dagger", "An elf in a blue robe, holding a dagger",
        "An elf in grey scale armour, holding a dagger",
      ])
    // In two groups: what either allows, itself but once.
    #expect(
      choices[1].texts == [
        "An elf in a red  robe, holding a dagger", "An elf in a red  robe, holding an axe",
        "An elf in a red  robe, holding a torch",
      ])
    #expect(groups.choices(in: "a redder robe").isEmpty)
  }

  /// The mean of log-softmax of CLIP's cosines, by hand.
  @Test func scoreIsTheMeanLogProbability() throws {
    let model = CLIPModelTests.tinyModel()
    let (images, _) = try Goldens.images(3)
    let prompts = ["a red robe and an axe", "an axe", "a red robe and an axe"]
    let reward = ChoiceReward(model, groups: groups, path: "phrases.txt")
    let scores = try reward.scores(images: images, prompts: prompts)
    let factor = Double(model.model.logitScale.value.scalar).exponential
    for (index, prompt) in prompts.enumerated() {
      let choices = groups.choices(in: prompt)
      let logs = choices.map { choice -> Double in
        let cosines = model.features(of: [images[index]])
          .matmul(model.features(of: choice.texts).transposed()).elements.map(Double.init)
        let exponentials = cosines.map { (factor * $0).exponential }
        return (exponentials[0] / exponentials.reduce(0, +)).logarithm
      }
      let expected = logs.reduce(0, +) / Double(logs.count)
      #expect(!(abs(Double(scores[index]) - expected) > 1e-4))
    }
    // Once more from what is remembered.
    #expect(try reward.scores(images: images, prompts: prompts) == scores)
    let error = #expect(throws: RewardError.self) {
      try reward.scores(images: [images[0]], prompts: ["a lamp"])
    }
    #expect("\(try #require(error))".contains("a lamp"))
  }

  @Test func filesAreGroupsByLine() throws {
    let folder = try TemporaryFolder()
    try folder.write("a red robe\ta blue robe\n\na dagger\tan axe\n", to: "phrases.txt")
    let read = try PhraseGroups(path: folder.file("phrases.txt"))
    #expect(read == PhraseGroups([["a red robe", "a blue robe"], ["a dagger", "an axe"]]))
    try folder.write(
      "\u{FEFF}a red robe\ta blue robe\r\na dagger\tan axe", to: "windows.txt")
    #expect(try PhraseGroups(path: folder.file("windows.txt")) == read)
    try folder.write("a red robe\ta blue robe\na dagger\n", to: "short.txt")
    let error = #expect(throws: FileError.self) {
      try PhraseGroups(path: folder.file("short.txt"))
    }
    #expect("\(try #require(error))".contains("line 2"))
    #expect(throws: (any Error).self) { try PhraseGroups(path: folder.file("none.txt")) }
    let term = try #require(try RewardExpression("2*clip-choice:'phrases.txt'").terms.first)
    #expect(term.kind.name == "clip-choice" && term.argument == "phrases.txt" && term.weight == 2)
    #expect(throws: RewardError.self) { try RewardExpression("clip-choice") }
  }
}

extension Double {
  fileprivate var exponential: Double { exp(self) }
  fileprivate var logarithm: Double { log(self) }
}
