import Media
import ReinforcementLearning
import Tensors

/// A judge of pictures.
public protocol Reward: Sendable {
  /// What it is called in reports.
  var name: String { get }

  /// A number for each picture, more for better; NaN where there is none.
  ///
  /// - Parameters:
  ///   - images: the pictures.
  ///   - prompts: what each was made for.
  /// - Throws: `RewardError` if the pictures cannot be judged at all.
  func scores(images: [Image], prompts: [String]) throws -> [Float]
}

extension Reward {
  /// The scores of pictures `[B, H, W, 3]` in 0...1, as they would be saved.
  public func scores(images: Tensor, prompts: [String]) throws -> [Float] {
    try scores(images: Image.batch(images, range: .zeroToOne), prompts: prompts)
  }

  /// The scores with those that are not finite left out.
  public func judged(_ images: [Image], prompts: [String]) throws -> RewardScores {
    RewardScores(try scores(images: images, prompts: prompts))
  }

  /// The scores of pictures `[B, H, W, 3]` in 0...1 with those that are not finite left out.
  public func judged(_ images: Tensor, prompts: [String]) throws -> RewardScores {
    RewardScores(try scores(images: images, prompts: prompts))
  }
}

/// The scores of some pictures, of which some may be missing.
public struct RewardScores: Sendable, Equatable {
  /// One for each picture; nil where the judge gave none or one that is not finite.
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

  /// The scores, unless more than a share of them is missing.
  ///
  /// - Throws: `RewardError` saying how many are missing.
  public func requiring(
    share: Double, of reward: String
  ) throws(RewardError) -> RewardScores {
    guard Double(values.count - droppedCount) >= share * Double(values.count) else {
      throw RewardError(
        reward: reward,
        problem: "gave no finite number for \(droppedCount) of \(values.count) pictures",
        advice: "correct the reward")
    }
    return self
  }
}
