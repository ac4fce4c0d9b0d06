import CaptionedMedia
import Foundation
import Media
import Tensors

/// How surely a classifier sees each attribute that a prompt asks for: the mean over them of ln p,
/// where p is the classifier's probability of the attribute in its slot.
///
/// The counterpart of the metrics that ask a question for each part of a prompt, such as TIFA (Hu et
/// al., arXiv:2303.11897). A classifier of images sees the frames of a clip one by one, and its score
/// is their mean; one of clips sees it whole, and how it moves. Whoever optimizes it scores the outcome by another
/// classifier, trained apart from this one.
public struct AttributeReward: Reward {
  /// Sees.
  public let classifier: AttributeClassifier
  /// Where it was read.
  private let path: String
  private let parser: PromptParser
  /// The minimum ln p that counts: one attribute that is never drawn must not hide all others.
  static let minLogProbability: Float = -4

  /// Scores by a classifier; `path` is what the reward is called by.
  public init(_ classifier: AttributeClassifier, path: String) {
    self.classifier = classifier
    self.path = path
    parser = PromptParser(phrases: classifier.classes.slots)
  }

  /// `attributes:'FOLDER'`.
  static let kind = RewardKind(
    name: "attributes", argument: .path(what: "classifier", example: "FOLDER"),
    needsPrompts: { _ in true },
    make: { AttributeReward(try AttributeClassifier(folder: $0.path), path: $0.path) })

  /// `attributes` with the folder of the classifier.
  public var name: String { "attributes:'\(path)'" }

  /// A number from -4 to 0 for each image or clip.
  ///
  /// - Throws: `RewardError` if a prompt asks for nothing that the classifier knows, or an image is
  ///   to be scored by a classifier of clips.
  public func scores(_ media: [Media], prompts: [String]) throws -> [Float] {
    precondition(
      media.count == prompts.count, "\(media.count) images or clips for \(prompts.count) prompts")
    var known: [String: [PromptAttribute]] = [:]
    for prompt in Set(prompts) {
      let wanted = parser.attributes(in: prompt).attributes
      guard !wanted.isEmpty else {
        throw RewardError(
          reward: name, problem: "finds nothing in '\(prompt)' that its classifier knows",
          advice:
            "name what an image should have in the classifier's words (see \(path)/config.json)")
      }
      known[prompt] = wanted
    }
    let views = try media.map { media -> Tensor in
      guard let views = classifier.views(of: media) else {
        throw RewardError(
          reward: name, problem: "is of a classifier of clips, and was given an image",
          advice: "score clips, or name the folder of a classifier of images")
      }
      return views
    }
    if views.isEmpty { return [] }
    let probabilities = classifier.probabilities(in: .concatenated(views, along: 0))
    var start = 0
    return zip(views, prompts).map { views, prompt in
      let seen = probabilities[start..<start + views.shape[0]]
      start += views.shape[0]
      let wanted = known[prompt, default: []]
      return seen.reduce(0) { $0 + score($1, wanted) } / Float(seen.count)
    }
  }

  private func score(_ seen: AttributeProbabilities, _ wanted: [PromptAttribute]) -> Float {
    let sum = wanted.reduce(Float(0)) { sum, attribute in
      // Open slots: wherever it is seen best.
      let best = attribute.slots.map { seen.probability(of: attribute.phrase, in: $0) }.max() ?? 0
      return sum + max(log(best), Self.minLogProbability)
    }
    return sum / Float(wanted.count)
  }
}
