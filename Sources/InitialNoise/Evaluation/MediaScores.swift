import CaptionedMedia
import Media
import ReinforcementLearning
import Rewards
import Tensors

/// Looks at images or clips of one prompt beside the reward that is optimized.
public struct MediaScores: Sendable {
  /// Names of the numbers that it gives, in camel case.
  public let names: [String]
  /// One list of numbers for each name, one number for each image or clip; nil where there is none.
  public let scores: @Sendable (_ media: [Media], _ prompt: String) throws -> [[Double?]]

  /// Scores that a function gives.
  public init(
    names: [String],
    scores: @escaping @Sendable (_ media: [Media], _ prompt: String) throws -> [[Double?]]
  ) {
    self.names = names
    self.scores = scores
  }

  /// Another reward.
  public static func reward(_ reward: any Reward, name: String) -> MediaScores {
    MediaScores(names: [name]) { media, prompt in
      let scored = try reward.scored(
        media, prompts: [String](repeating: prompt, count: media.count))
      return [scored.values.map { $0.map(Double.init) }]
    }
  }

  /// The classifier: `attributeAccuracy`, the fraction of what the prompt asks for, and
  /// `allAttributes`, 1 where nothing is missing; of a clip the means over its frames, unless the
  /// classifier is one of clips. No numbers if the prompt asks for nothing it knows, or of an image
  /// where it is.
  public static func classifier(_ classifier: AttributeClassifier) -> MediaScores {
    let parser = PromptParser(phrases: classifier.classes.slots)
    return MediaScores(names: ["attributeAccuracy", "allAttributes"]) { media, prompt in
      let wanted = parser.attributes(in: prompt)
      func mean(_ seen: [SeenAttributes], _ number: (Double) -> Double) -> Double? {
        let fractions = seen.compactMap { $0.fraction(of: wanted) }
        return fractions.isEmpty
          ? nil : fractions.reduce(0) { $0 + number($1) } / Double(fractions.count)
      }
      let seen = classifier.seen(in: media)
      return [seen.map { mean($0) { $0 } }, seen.map { mean($0) { $0 == 1 ? 1 : 0 } }]
    }
  }

  /// The metrics of sprites, whose numbers are those of `SpriteMetrics.Findings`.
  public static func sprites(_ metrics: SpriteMetrics) -> MediaScores {
    let names = SpriteMetrics.Findings().numbers.map(\.name)
    return MediaScores(names: names.map { "sprite\($0.prefix(1).uppercased())\($0.dropFirst())" }) {
      media, prompt in
      let findings = metrics.findings(
        in: media, prompts: [String](repeating: prompt, count: media.count))
      return names.indices.map { index in findings.map { $0.numbers[index].value } }
    }
  }

  /// The comparison with the layers that an image was made of: `layersRight`, 1 where every item
  /// of the top layers that the prompt asks for is there. No numbers if it asks for none.
  public static func layers(_ composer: DollComposer) -> MediaScores {
    let comparison = LayerComparison(composer)
    let parser = PromptParser(composer.catalog)
    return MediaScores(names: ["layersRight"]) { media, prompt in
      let wanted = parser.attributes(in: prompt)
      let perFrame = media.flatMap(\.frames).map { frame -> Double? in
        comparison.showsAll(of: wanted, in: frame.rgb().tensor(range: .minusOneToOne))
          .map { $0 ? 1 : 0 }
      }
      return [media.meansOverFrames(perFrame)]
    }
  }
}

/// How different images are from one another.
public enum Diversity {
  /// The mean distance, 1 - cosine, between two images' features `[B, P]`, rows of unit length;
  /// nil for fewer than two images.
  ///
  /// A mean over pairs: its standard error is twice that of the mean of each image's own mean
  /// distance to the others (Hoeffding 1948, for U-statistics of two arguments).
  public static func estimate(ofFeatures features: Tensor) -> ScoreEstimate? {
    let count = features.shape[0]
    guard count > 1 else { return nil }
    let cosines = features.matmul(features.transposed()).elements
    let means = (0..<count).map { row -> Double in
      let sum = (0..<count).filter { $0 != row }.reduce(0.0) {
        $0 + 1 - Double(cosines[row * count + $1])
      }
      return sum / Double(count - 1)
    }
    return ScoreEstimate(means).map {
      ScoreEstimate(mean: $0.mean, standardError: 2 * $0.standardError)
    }
  }
}
