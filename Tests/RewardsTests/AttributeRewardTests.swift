import CaptionedMedia
import Foundation
import Media
import Tensors
import TestSupport
import Testing

@testable import Rewards

@Suite struct AttributeRewardTests {
  private func classifier() throws -> AttributeClassifier {
    var random = RandomStream(seed: 4, purpose: "weights")
    return AttributeClassifier(
      .init(imageSize: 32, channels: [8, 8, 8], hiddenSize: 16),
      classes: AttributeClasses(try Goldens.composer().catalog), random: &random)
  }

  /// The mean of ln softmax of the slot's logits, by hand; an item that fits both hands counts
  /// where it is seen best, and no item for less than -4.
  @Test func scoreIsTheMeanLogProbability() throws {
    let classifier = try classifier()
    let composer = try Goldens.composer()
    let dolls = (0..<12).map { composer.doll(seed: 5, index: $0) }
    let images = dolls.map(composer.image)
    let prompts = dolls.map { $0.caption() }
    let reward = AttributeReward(classifier, path: "seer")
    let scores = try reward.scores(images: images, prompts: prompts)
    let parser = PromptParser(composer.catalog)
    var attributeCount = 0
    for (index, image) in images.enumerated() {
      let logits = classifier(
        Tensor.stacked([image.rgb().tensor(range: .minusOneToOne)])
      ).elements.map(Double.init)
      var start = 0
      var logs: [AttributeSlot: [String: Double]] = [:]
      for (slot, phrases) in classifier.classes.slots {
        let exponentials = logits[start..<start + phrases.count + 1].map { exp($0) }
        let sum = exponentials.reduce(0, +)
        for (place, phrase) in phrases.enumerated() {
          logs[slot, default: [:]][phrase] = log(exponentials[place + 1] / sum)
        }
        start += phrases.count + 1
      }
      let wanted = parser.attributes(in: prompts[index]).attributes
      attributeCount += wanted.count
      let terms = wanted.map { attribute in
        max(-4, attribute.slots.compactMap { logs[$0]?[attribute.phrase] }.max() ?? -4)
      }
      let expected = terms.reduce(0, +) / Double(terms.count)
      #expect(!(abs(Double(scores[index]) - expected) > 1e-4))
      // A floor would hide everything.
      #expect(scores[index] > -4)
    }
    #expect(attributeCount > 24)
    let error = #expect(throws: RewardError.self) {
      try reward.scores(images: [images[0]], prompts: ["nothing at all"])
    }
    #expect("\(try #require(error))".contains("nothing at all"))
    #expect(try reward.scores(images: [], prompts: []).isEmpty)
  }

  @Test func itsWordsNameAFolder() throws {
    let folder = try TemporaryFolder()
    try classifier().write(folder: folder.file("seer"))
    let words = "attributes:'\(folder.file("seer"))'"
    let expression = try RewardExpression(words)
    #expect(expression.terms.first?.kind.name == "attributes")
    #expect(expression.terms.first?.argument == folder.file("seer"))
    #expect(!expression.needsCLIP && expression.needsPrompts)
    let (images, texts) = try Goldens.images(3)
    let read = try expression.reward()
    #expect(read.name == words)
    #expect(
      try read.scores(images: images, prompts: texts)
        == AttributeReward(classifier(), path: "").scores(images: images, prompts: texts))
    #expect(throws: RewardError.self) { try RewardExpression("attributes") }
    #expect(throws: (any Error).self) { try RewardExpression("attributes:'nowhere'").reward() }
  }

  /// Of a classifier that is sure of everything, some items are seen with a probability of nearly 0.
  @Test func noAttributeCountsForLessThanTheMinimum() throws {
    let classifier = try classifier()
    for (name, parameter) in classifier.parameters where name.hasPrefix("output.") {
      parameter.value = parameter.value * 1e4
    }
    let composer = try Goldens.composer()
    let dolls = (0..<12).map { composer.doll(seed: 5, index: $0) }
    let scores = try AttributeReward(classifier, path: "seer").scores(
      images: dolls.map(composer.image), prompts: dolls.map { $0.caption() })
    #expect(scores.allSatisfy { (-4...0).contains($0) } && scores.contains { $0 < -1 })
  }
}
