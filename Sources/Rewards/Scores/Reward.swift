import Files
import Media
import ReinforcementLearning
import Tensors

/// A score of what a model generated.
public protocol Reward: Sendable {
  /// What it is called in reports.
  var name: String { get }

  /// A number for each image or clip, more for better; NaN where there is none.
  ///
  /// - Parameters:
  ///   - media: the images or clips.
  ///   - prompts: what each was made for.
  /// - Throws: `RewardError` if they cannot be scored at all.
  func scores(_ media: [Media], prompts: [String]) throws -> [Float]
}

/// A reward that sees images; the score of a clip is the mean over its frames.
public protocol ImageReward: Reward {
  /// A number for each image, more for better; NaN where there is none.
  ///
  /// - Parameters:
  ///   - images: the images.
  ///   - prompts: what each was made for.
  /// - Throws: `RewardError` if the images cannot be scored at all.
  func scores(images: [Image], prompts: [String]) throws -> [Float]
}

extension ImageReward {
  /// The mean over the frames of each.
  public func scores(_ media: [Media], prompts: [String]) throws -> [Float] {
    precondition(
      media.count == prompts.count, "\(media.count) images or clips for \(prompts.count) prompts")
    let perFrame = zip(media, prompts).flatMap { media, prompt in
      [String](repeating: prompt, count: media.frames.count)
    }
    let scores = try scores(images: media.flatMap(\.frames), prompts: perFrame)
    return media.meansOverFrames(scores.map(Double.init)).map { $0.map { Float($0) } ?? .nan }
  }
}

extension Reward {
  /// The scores of images.
  public func scores(images: [Image], prompts: [String]) throws -> [Float] {
    try scores(images.map(Media.image), prompts: prompts)
  }

  /// The scores of images or clips with those that are not finite left out.
  public func scored(_ media: [Media], prompts: [String]) throws -> RewardScores {
    RewardScores(try scores(media, prompts: prompts))
  }

  /// The scores of images `[B, H, W, 3]` in 0...1, as they would be saved.
  public func scores(images: Tensor, prompts: [String]) throws -> [Float] {
    try scores(images: Image.batch(images, range: .zeroToOne), prompts: prompts)
  }

  /// The scores with those that are not finite left out.
  public func scored(_ images: [Image], prompts: [String]) throws -> RewardScores {
    RewardScores(try scores(images: images, prompts: prompts))
  }

  /// The scores of images `[B, H, W, 3]` in 0...1 with those that are not finite left out.
  public func scored(_ images: Tensor, prompts: [String]) throws -> RewardScores {
    RewardScores(try scores(images: images, prompts: prompts))
  }
}

/// The scores of some images or clips, of which some may be missing.
public struct RewardScores: Sendable, Equatable {
  /// One for each; nil where the reward gave none or one that is not finite.
  public let values: [Float?]

  /// Drops what is not finite.
  public init(_ scores: [Float]) { values = scores.map { $0.isFinite ? $0 : nil } }

  /// The scores that there are.
  public var finite: [Float] { values.compactMap { $0 } }

  /// How many are missing.
  public var droppedCount: Int { values.count { $0 == nil } }

  /// The mean of those that there are; nil if there is none.
  public var mean: Double? {
    let finite = finite
    return finite.isEmpty ? nil : finite.reduce(0) { $0 + Double($1) } / Double(finite.count)
  }

  /// The standard error of that mean; 0 for fewer than two.
  public var standardError: Double {
    ScoreEstimate(finite.map(Double.init))?.standardError ?? 0
  }

  /// The scores, unless more than a fraction of them is missing.
  ///
  /// - Throws: `RewardError` saying how many are missing.
  public func requiring(
    fraction: Double, of reward: String
  ) throws(RewardError) -> RewardScores {
    guard Double(values.count - droppedCount) >= fraction * Double(values.count) else {
      throw RewardError(
        reward: reward,
        problem: "gave no finite number for \(droppedCount) of \(values.count) images",
        advice: "correct the reward")
    }
    return self
  }
}

/// A reward that cannot be had: its name, what happened and what to do.
public struct RewardError: Error, Equatable, CustomStringConvertible {
  /// What kind of failure it is, for programs that decide by it.
  public enum Kind: Sendable, Equatable {
    /// The words for it are wrong.
    case expression
    /// A score is not finite.
    case score
    /// An external program could not be started.
    case launch
    /// An external program did not end in time.
    case timeOut
    /// An external program ended with another status than 0.
    case status(Int32)
    /// An external program was ended by a signal.
    case signal(Int32)
    /// An external program printed something else than it should.
    case output
  }

  /// What kind of failure it is.
  public let kind: Kind
  /// The reward's name.
  public let reward: String
  /// What was found, and what was expected.
  public let problem: String
  /// What to do next.
  public let advice: String?

  /// Describes a failure; texts from elsewhere may be hostile, `description` escapes them.
  public init(_ kind: Kind = .score, reward: String, problem: String, advice: String? = nil) {
    self.kind = kind
    self.reward = reward
    self.problem = problem
    self.advice = advice
  }

  /// One line: `reward 'name': problem; advice`.
  public var description: String {
    var text = "reward '\(reward.printable)' \(problem.printable)"
    if let advice { text += "; \(advice.printable)" }
    return text
  }
}
