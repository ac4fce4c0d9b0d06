import Media
import Tensors

/// How well images fit a text: 100 times the cosine of their CLIP features (Hessel et al.,
/// arXiv:2104.08718, without the cut at zero, which would hide which of two bad images is worse).
public struct CLIPReward: ImageReward {
  /// Sees and reads.
  public let model: ImageTextModel
  /// What images should fit; nil for their own prompts.
  public let text: String?

  /// Scores by a model, and by a fixed text if one is given.
  public init(_ model: ImageTextModel, text: String? = nil) {
    self.model = model
    self.text = text
  }

  /// `clip` and `clip:'TEXT'`.
  static let kind = RewardKind(
    name: "clip", argument: .text, needsCLIP: true, needsPrompts: { $0 == nil },
    make: { CLIPReward($0.clip, text: $0.argument) })

  /// `clip`, with the text if it is fixed.
  public var name: String { text.map { "clip:'\($0)'" } ?? "clip" }

  /// A number from -100 to 100 for each image.
  public func scores(images: [Image], prompts: [String]) -> [Float] {
    precondition(
      images.count == prompts.count, "\(images.count) images for \(prompts.count) prompts")
    if images.isEmpty { return [] }
    // Each text is read once.
    let wanted = text.map { [String](repeating: $0, count: images.count) } ?? prompts
    let texts = Set(wanted).sorted()
    let places = Dictionary(uniqueKeysWithValues: zip(texts, texts.indices))
    let rows = model.features(of: texts).gather(wanted.map { places[$0, default: 0] })
    return ((model.features(of: images) * rows).sum(along: -1) * 100).elements
  }
}
