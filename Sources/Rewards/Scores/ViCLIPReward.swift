import Media
import Tensors

/// How well a clip fits its prompt: the cosine of their features in ViCLIP's common space, the
/// reward that FIND's paper learns the noise of videos by.
public struct ViCLIPReward: Reward {
  /// Sees and reads.
  public let model: ViCLIPModel
  /// Where it was read.
  private let path: String

  /// Scores by a model; `path` is what the reward is called by.
  public init(_ model: ViCLIPModel, path: String) {
    self.model = model
    self.path = path
  }

  /// `viclip:'FOLDER'`.
  static let kind = RewardKind(
    name: "viclip", argument: .path(what: "ViCLIP model", example: "FOLDER"),
    needsPrompts: { _ in true },
    make: { ViCLIPReward(try ViCLIPModel(folder: $0.path), path: $0.path) })

  /// `viclip` with the folder of the model.
  public var name: String { "viclip:'\(path)'" }

  /// A cosine for each clip, -1 to 1; an image is a clip that stands still.
  public func scores(_ media: [Media], prompts: [String]) -> [Float] {
    precondition(
      media.count == prompts.count, "\(media.count) clips for \(prompts.count) prompts")
    if media.isEmpty { return [] }
    let different = Array(Set(prompts)).sorted()
    let texts = model.features(of: different)
    let clips = model.features(of: media)
    return zip(0..., prompts).map { row, prompt in
      let column = different.firstIndex(of: prompt) ?? 0
      return (clips[row] * texts[column]).sum().scalar
    }
  }
}
