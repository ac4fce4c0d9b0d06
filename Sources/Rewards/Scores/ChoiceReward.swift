import Media
import Synchronization
import Tensors

/// How surely each phrase of a prompt is found in a picture, rather than another in its place: the
/// mean over the phrases of ln p, where p is CLIP's zero-shot probability (Radford et al.,
/// arXiv:2103.00020, section 3.1) of the prompt among its variants with one phrase changed.
///
/// A cosine with the prompt rises with anything that the prompt's pictures have in common. This
/// rises only with what tells them from pictures of other prompts.
public final class ChoiceReward: ImageReward {
  /// Sees and reads.
  public let model: ImageTextModel
  /// What could stand in a phrase's place.
  public let groups: PhraseGroups
  /// Where they were read.
  private let path: String
  /// The features of each prompt's variants, `[T, P]`, choice after choice.
  private let variants = Mutex<[String: Tensor]>([:])

  /// Judges by a model; `path` is what the reward is called by.
  public init(_ model: ImageTextModel, groups: PhraseGroups, path: String) {
    self.model = model
    self.groups = groups
    self.path = path
  }

  /// `clip-choice` with the file of phrases.
  public var name: String { "clip-choice:'\(path)'" }

  /// A number up to 0 for each picture.
  ///
  /// - Throws: `RewardError` if a prompt has none of the phrases.
  public func scores(images: [Image], prompts: [String]) throws -> [Float] {
    precondition(
      images.count == prompts.count, "\(images.count) pictures for \(prompts.count) prompts")
    if images.isEmpty { return [] }
    let features = model.features(of: images)
    let factor = model.model.logitScale.value.exp()
    var scores = [Float](repeating: 0, count: images.count)
    for (prompt, places) in Dictionary(grouping: prompts.indices, by: { prompts[$0] }) {
      let choices = groups.choices(in: prompt)
      guard !choices.isEmpty else {
        throw RewardError(
          reward: name, problem: "finds none of its phrases in '\(prompt)'",
          advice: "add the prompt's phrases to \(path), as they stand in the prompt")
      }
      let logits =
        features.gather(places).matmul(variants(of: prompt, choices).transposed()) * factor
      var sum = Tensor.zeros([places.count])
      var start = 0
      for choice in choices {
        let end = start + choice.texts.count
        let logProbabilities = logits.slice(start..<end, along: 1).logSoftmax()
        sum = sum + logProbabilities.slice(0..<1, along: 1).reshaped(to: [places.count])
        start = end
      }
      for (place, score) in zip(places, sum.elements) {
        scores[place] = score / Float(choices.count)
      }
    }
    return scores
  }

  /// Every text is read once, however often its prompt is judged.
  private func variants(of prompt: String, _ choices: [PhraseGroups.Choice]) -> Tensor {
    if let known = variants.withLock({ $0[prompt] }) { return known }
    let features = model.features(of: choices.flatMap(\.texts))
    variants.withLock { $0[prompt] = features }
    return features
  }
}
