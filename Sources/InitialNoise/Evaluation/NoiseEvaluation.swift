import Diffusion
import GenerativeModels
import Media
import ReinforcementLearning
import Rewards
import Tensors

/// What N(0, I) gives for a prompt: drawn once, however many priors stand beside it.
public struct PlainNoise: Sendable, Equatable {
  /// What was drawn.
  public let prompt: String
  /// What guidance led away from.
  public let negativePrompt: String
  /// Images of each way.
  public let count: Int
  /// Of the first image.
  public let seed: UInt64
  /// N of best-of-N.
  public let bestOf: Int
  /// The plain images' scores by name.
  public internal(set) var scores: [String: ScoreEstimate] = [:]
  /// Those of the best of N.
  public internal(set) var bestScores: [String: ScoreEstimate] = [:]
}

/// A prior beside plain noise and beside best-of-N, by several scores.
public struct NoiseComparison: Sendable, Equatable {
  /// One score of the three ways to make images.
  public struct Score: Codable, Sendable, Equatable {
    /// N(0, I).
    public var plain: ScoreEstimate?
    /// The prior.
    public var prior: ScoreEstimate?
    /// The best of N plain images by the optimized reward.
    public var bestOfN: ScoreEstimate?
  }

  /// What was drawn.
  public var prompt: String
  /// Images of each way.
  public var count: Int
  /// N: as many plain images for each as the prior cost, learning included.
  public var bestOf: Int
  /// `reward`, `diversity` and the names of the other scores.
  public var scores: [String: Score]
}

/// Compares a prior with plain noise on fresh seeds, and with best-of-N re-ranking at an equal
/// number of images.
public struct NoiseEvaluation: Sendable {
  /// Makes the images.
  public let model: any GenerativeModel
  /// How.
  public let settings: GenerationSettings
  /// What was optimized.
  public let reward: any Reward
  /// What else is looked at.
  public let others: [MediaScores]
  /// Sees how different images are; no diversity without it.
  public let features: ImageTextModel?
  /// Divides images among processes.
  public let communicator: any Communicator

  /// An evaluation of these parts.
  public init(
    model: any GenerativeModel, settings: GenerationSettings, reward: any Reward,
    others: [MediaScores] = [], features: ImageTextModel? = nil,
    communicator: any Communicator = SingleProcess()
  ) {
    self.model = model
    self.settings = settings
    self.reward = reward
    self.others = others
    self.features = features
    self.communicator = communicator
  }

  /// Images with the rewards of those who made them.
  private struct Arm {
    var media: [Media]
    var rewards: [Float?]
  }

  /// How many plain images stand against one of the prior's, when a prior that cost `imageCount`
  /// images makes `count` more: rounded up, in favor of the plain ones.
  public static func bestOf(imageCount: Int, count: Int) -> Int {
    1 + (max(0, imageCount) + count - 1) / count
  }

  /// Draws and scores plain images, and the best of N of others.
  ///
  /// - Parameters:
  ///   - prompt: what to draw.
  ///   - negativePrompt: what guidance leads away from.
  ///   - imageCount: images that a prior cost to learn, which best-of-N may spend too.
  ///   - count: images of each way.
  ///   - seed: of the first image; none that a prior was learned from.
  ///   - progress: called with the images drawn.
  /// - Throws: `GenerationError`, `RewardError` or `FileError`.
  public func plain(
    prompt: String, negativePrompt: String, imageCount: Int, count: Int, seed: UInt64,
    progress: (Int) -> Void = { _ in }
  ) throws -> PlainNoise {
    var plain = PlainNoise(
      prompt: prompt, negativePrompt: negativePrompt, count: count, seed: seed,
      bestOf: Self.bestOf(imageCount: imageCount, count: count))
    plain.scores = try scores(
      of: arm(nil, plain, count: count, progress: progress), prompt: prompt)
    // Seeds apart from those of the plain images.
    let many = try arm(
      nil, plain, count: count * plain.bestOf, offset: count, progress: { progress(count + $0) })
    plain.bestScores = try scores(of: Self.best(of: many, groupSize: plain.bestOf), prompt: prompt)
    return plain
  }

  /// Draws and scores the images of a prior, of the same seeds as the plain ones.
  ///
  /// - Throws: `GenerationError`, `RewardError` or `FileError`.
  public func compare(
    _ prior: NoisePrior, with plain: PlainNoise, progress: (Int) -> Void = { _ in }
  ) throws -> NoiseComparison {
    let scores = try scores(
      of: arm(prior, plain, count: plain.count, progress: progress), prompt: plain.prompt)
    let names = Set(scores.keys).union(plain.scores.keys).union(plain.bestScores.keys)
    return NoiseComparison(
      prompt: plain.prompt, count: plain.count, bestOf: plain.bestOf,
      scores: Dictionary(
        uniqueKeysWithValues: names.map { name in
          let score = NoiseComparison.Score(
            plain: plain.scores[name], prior: scores[name], bestOfN: plain.bestScores[name])
          return (name, score)
        }))
  }

  /// What the images of one way are worth; a score of which there is no number is left out.
  private func scores(of arm: Arm, prompt: String) throws -> [String: ScoreEstimate] {
    var scores: [String: ScoreEstimate] = [:]
    scores["reward"] = ScoreEstimate(arm.rewards.compactMap { $0.map(Double.init) })
    if let features {
      scores["diversity"] = Diversity.estimate(ofFeatures: features.features(of: arm.media))
    }
    for other in others {
      for (name, numbers) in zip(other.names, try other.scores(arm.media, prompt)) {
        scores[name] = ScoreEstimate(numbers.compactMap { $0 })
      }
    }
    return scores
  }

  private func arm(
    _ prior: NoisePrior?, _ plain: PlainNoise, count: Int, offset: Int = 0,
    progress: (Int) -> Void
  ) throws -> Arm {
    var arm = Arm(media: [], rewards: [])
    let seeds = (offset..<offset + count).map { plain.seed &+ UInt64($0) }
    let size = settings.batchSize * communicator.processCount
    for start in stride(from: 0, to: seeds.count, by: size) {
      let batch = Array(seeds[start..<min(seeds.count, start + size)])
      let own = Array(batch[communicator.fraction(of: batch.count)])
      let media =
        try own.isEmpty
        ? []
        : model.generate(
          prompts: [plain.prompt], negativePrompts: [plain.negativePrompt], seeds: own,
          settings: settings, prior: prior)
      let rewards =
        try own.isEmpty
        ? []
        : reward.scored(media, prompts: [String](repeating: plain.prompt, count: own.count)).values
      arm.rewards += try communicator.gatherValues(rewards).flatMap { $0 }
      arm.media += try communicator.gatherMedia(media)
      progress(arm.media.count)
    }
    return arm
  }

  private static func best(of arm: Arm, groupSize: Int) -> Arm {
    let winners = winners(of: arm.rewards, groupSize: groupSize)
    return Arm(media: winners.map { arm.media[$0] }, rewards: winners.map { arm.rewards[$0] })
  }

  /// Where the highest reward of each group is; a missing one is the lowest.
  static func winners(of rewards: [Float?], groupSize: Int) -> [Int] {
    stride(from: 0, to: rewards.count, by: groupSize).compactMap { start in
      (start..<min(rewards.count, start + groupSize)).max {
        (rewards[$0] ?? -.infinity) < (rewards[$1] ?? -.infinity)
      }
    }
  }
}

/// What priors gain on average over prompts. Priors of the same prompt, learned from several seeds,
/// count together as one: only prompts are independent of one another.
public struct NoiseSummary: Codable, Sendable, Equatable {
  /// One score, averaged over prompts.
  public struct Score: Codable, Sendable, Equatable {
    /// N(0, I).
    public var plain: ScoreEstimate
    /// The priors.
    public var prior: ScoreEstimate
    /// The best of N plain images by the optimized reward.
    public var bestOfN: ScoreEstimate
    /// What priors have more than plain noise.
    public var gain: ScoreEstimate
    /// What priors have more than the best of N.
    public var gainOverBestOfN: ScoreEstimate
  }

  /// How many prompts.
  public var promptCount: Int
  /// How many priors.
  public var priorCount: Int
  /// By name; scores that some prompt has none of are averaged over the others.
  public var scores: [String: Score]

  /// Averages at least one comparison.
  public init(_ comparisons: [NoiseComparison]) {
    precondition(!comparisons.isEmpty, "no comparisons to average")
    let byPrompt = Dictionary(grouping: comparisons, by: \.prompt).values
    promptCount = byPrompt.count
    priorCount = comparisons.count
    scores = [:]
    for name in Set(comparisons.flatMap(\.scores.keys)) {
      let means = byPrompt.compactMap { Means($0.compactMap { $0.scores[name] }) }
      guard !means.isEmpty else { continue }
      scores[name] = Score(
        plain: ScoreEstimate(of: means) { $0.plain }, prior: ScoreEstimate(of: means) { $0.prior },
        bestOfN: ScoreEstimate(of: means) { $0.bestOfN },
        gain: ScoreEstimate(of: means) { $0.prior - $0.plain },
        gainOverBestOfN: ScoreEstimate(of: means) { $0.prior - $0.bestOfN })
    }
  }

  /// One prompt's numbers, averaged over its priors.
  private struct Means {
    var plain, prior, bestOfN: Double

    init?(_ scores: [NoiseComparison.Score]) {
      guard let plain = ScoreEstimate(scores.compactMap(\.plain?.mean)),
        let prior = ScoreEstimate(scores.compactMap(\.prior?.mean)),
        let bestOfN = ScoreEstimate(scores.compactMap(\.bestOfN?.mean))
      else { return nil }
      (self.plain, self.prior, self.bestOfN) = (plain.mean, prior.mean, bestOfN.mean)
    }
  }
}
