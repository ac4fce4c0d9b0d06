import CaptionedMedia
import Media
import Tensors
import Testing

@testable import Rewards

@Suite struct PromptAccuracyTests {
  /// Every image counts alike, however much its prompt asks for, and not at all if it asks for
  /// nothing.
  @Test func sharesAreThoseOfImages() throws {
    let composer = try Goldens.composer()
    var random = RandomStream(seed: 4, purpose: "weights")
    let classifier = AttributeClassifier(
      .init(imageSize: 32, channels: [8, 8, 8], hiddenSize: 16),
      classes: AttributeClasses(composer.catalog), random: &random)
    let (images, captions) = try Goldens.images(8)
    let prompts = Array(captions.prefix(6)) + ["nothing at all", ""]
    var accuracy = PromptAccuracy(classifier: classifier)
    accuracy.add(Array(images.prefix(3)), prompts: Array(prompts.prefix(3)))
    accuracy.add(Array(images.dropFirst(3)), prompts: Array(prompts.dropFirst(3)))

    let parser = PromptParser(composer.catalog)
    var expected: [Double] = []
    var attributeCount = 0
    for (seen, prompt) in zip(classifier.seen(in: images), prompts.prefix(6)) {
      let wanted = parser.attributes(in: prompt).attributes
      attributeCount += wanted.count
      expected.append(Double(wanted.count { seen.shows($0) }) / Double(wanted.count))
    }
    #expect(accuracy.fractions == expected)
    #expect(accuracy.completeImages == expected.map { $0 == 1 ? 1 : 0 })
    #expect(accuracy.bySlot.values.reduce(0) { $0 + $1.count } == attributeCount)
    #expect(accuracy.layers.isEmpty)
  }
}
