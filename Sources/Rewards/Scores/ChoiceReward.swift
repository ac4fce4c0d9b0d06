import CaptionedMedia
import Files
import Media
import Synchronization
import Tensors

/// How surely each phrase of a prompt is found in an image, rather than another in its place: the
/// mean over the phrases of ln p, where p is CLIP's zero-shot probability (Radford et al.,
/// arXiv:2103.00020, section 3.1) of the prompt among its variants with one phrase changed.
///
/// A cosine with the prompt rises with anything that the prompt's images have in common. This
/// rises only with what tells them from images of other prompts.
public final class ChoiceReward: ImageReward {
  /// Sees and reads.
  public let model: ImageTextModel
  /// What could stand in a phrase's place.
  public let groups: PhraseGroups
  /// Where they were read.
  private let path: String
  /// The features of each prompt's variants, `[T, P]`, choice after choice.
  private let variants = Mutex<[String: Tensor]>([:])

  /// Scores by a model; `path` is what the reward is called by.
  public init(_ model: ImageTextModel, groups: PhraseGroups, path: String) {
    self.model = model
    self.groups = groups
    self.path = path
  }

  /// `clip-choice:'FILE'`.
  static let kind = RewardKind(
    name: "clip-choice", argument: .path(what: "phrases", example: "FILE.txt"), needsCLIP: true,
    needsPrompts: { _ in true },
    make: { ChoiceReward($0.clip, groups: try PhraseGroups(path: $0.path), path: $0.path) })

  /// `clip-choice` with the file of phrases.
  public var name: String { "clip-choice:'\(path)'" }

  /// A number up to 0 for each image.
  ///
  /// - Throws: `RewardError` if a prompt has none of the phrases.
  public func scores(images: [Image], prompts: [String]) throws -> [Float] {
    precondition(
      images.count == prompts.count, "\(images.count) images for \(prompts.count) prompts")
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

  /// Every text is read once, however often its prompt is evaluated.
  private func variants(of prompt: String, _ choices: [PhraseGroups.Choice]) -> Tensor {
    if let known = variants.withLock({ $0[prompt] }) { return known }
    let features = model.features(of: choices.flatMap(\.texts))
    variants.withLock { $0[prompt] = features }
    return features
  }
}

/// Phrases of which a prompt has one or none: colors, say, or what a hand may hold.
public struct PhraseGroups: Sendable, Equatable {
  /// A phrase of a prompt and what could stand in its place.
  public struct Choice: Sendable, Equatable {
    /// The phrase.
    public let phrase: String
    /// The prompt itself, and then the prompt with each of the others in the phrase's place.
    public let texts: [String]
  }

  private let groups: [[String]]
  /// The groups that a phrase belongs to.
  private let places: [String: [Int]]
  private let finder: PhraseFinder

  /// Groups of phrases, each as prompts have it: with its article, if it has one.
  public init(_ groups: [[String]]) {
    self.groups = groups
    var places: [String: [Int]] = [:]
    for (index, group) in groups.enumerated() {
      for phrase in group { places[PhraseFinder.normalized(phrase), default: []].append(index) }
    }
    self.places = places
    finder = PhraseFinder(groups.joined())
  }

  /// Reads a text file: a group a line, its phrases parted by tabs.
  ///
  /// - Throws: `FileError` if it cannot be read or a line has fewer than two phrases.
  public init(path: String) throws {
    var groups: [[String]] = []
    let lines = try TextFile.lines(path: path)
    for (index, line) in lines.enumerated() where !line.isEmpty {
      let phrases = line.split(separator: "\t").map(String.init)
      guard phrases.count > 1 else {
        throw FileError(
          .malformed, path: path, problem: "line \(index + 1) has one phrase",
          advice: "put two or more phrases on a line, parted by tabs")
      }
      groups.append(phrases)
    }
    self.init(groups)
  }

  /// Each phrase of a prompt that belongs to a group, with its alternatives.
  public func choices(in prompt: String) -> [Choice] {
    finder.matches(in: prompt).map { match in
      var seen: Set<String> = [match.phrase]
      let others = places[match.phrase, default: []].flatMap { groups[$0] }
        .filter { seen.insert(PhraseFinder.normalized($0)).inserted }
      let texts = others.map { prompt.replacingCharacters(in: match.range, with: $0) }
      return Choice(phrase: match.phrase, texts: [prompt] + texts)
    }
  }

  /// Whether both have the same phrases in the same order.
  public static func == (left: PhraseGroups, right: PhraseGroups) -> Bool {
    left.groups == right.groups
  }
}
