import CaptionedMedia
import Foundation
import Media
import Tensors
import TestSupport
import Testing

@testable import InitialNoise
@testable import Rewards

struct MediaScoresTests {
  /// `noise evaluate` and `image evaluate` mean the same by the same names.
  @Test func classifierScoresAsPromptAccuracyDoes() throws {
    let composer = try DollComposer(folder: Repository.golden("CaptionedMedia/dolls"))
    var random = RandomStream(seed: 4, purpose: "weights")
    let classifier = AttributeClassifier(
      .init(imageSize: 32, channels: [8, 8, 8], hiddenSize: 16),
      classes: AttributeClasses(composer.catalog), random: &random)
    let images = (0..<6).map { composer.image(of: composer.doll(seed: 5, index: $0)) }
    let scorer = MediaScores.classifier(classifier)
    #expect(scorer.names == ["attributeAccuracy", "allAttributes"])
    for prompt in ["an elf in a blue robe, holding a dagger", "a human", "nothing at all"] {
      var accuracy = PromptAccuracy(classifier: classifier)
      accuracy.add(images, prompts: images.map { _ in prompt })
      let scores = try scorer.scores(images.map(Media.image), prompt)
      #expect(scores[0].compactMap { $0 } == accuracy.fractions, "\(prompt)")
      #expect(scores[1].compactMap { $0 } == accuracy.completeImages, "\(prompt)")
      #expect(scores[0].count == images.count && scores[1].count == images.count)
      #expect(accuracy.fractions.count == (prompt == "nothing at all" ? 0 : images.count))
    }
  }
}
