import Media
import ReinforcementLearning
import Rewards
import Tensors
import TextToImage

/// Compares a prior with plain noise on fresh seeds, and with best-of-N re-ranking at an equal number of
/// pictures.
public struct NoiseEvaluation: Sendable {
  /// Makes the pictures.
  public let pipeline: TextToImagePipeline
  /// How.
  public let settings: GenerationSettings
  /// What was optimized.
  public let reward: any Reward
  /// What else is looked at.
  public let judges: [PictureJudge]
  /// Sees how different pictures are; no diversity without it.
  public let features: ImageTextModel?

  /// An evaluation of these parts.
  public init(
    pipeline: TextToImagePipeline, settings: GenerationSettings, reward: any Reward,
    judges: [PictureJudge] = [], features: ImageTextModel? = nil
  ) {
    self.pipeline = pipeline
    self.settings = settings
    self.reward = reward
    self.judges = judges
    self.features = features
  }

  /// Pictures with the rewards of those who made them.
  private struct Arm {
    var images: [Image]
    var rewards: [Float?]
  }

  /// How many plain pictures stand against one of the prior's, when a prior that cost `imageCount`
  /// pictures makes `count` more.
  public static func bestOf(imageCount: Int, count: Int) -> Int {
    max(1, (imageCount + count) / count)
  }

  /// Draws and judges.
  ///
  /// - Parameters:
  ///   - file: the prior.
  ///   - prompt: what to draw.
  ///   - count: pictures of each way.
  ///   - seed: of the first picture; none that the prior was learned from.
  ///   - progress: called with pictures drawn, and all.
  /// - Throws: `GenerationError`, `RewardError` or `FileError`.
  public func compare(
    _ file: NoisePriorFile, prompt: String, count: Int, seed: UInt64,
    progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws -> NoiseComparison {
    let bestOf = Self.bestOf(imageCount: file.origin.imageCount, count: count)
    let total = count * (2 + bestOf)
    let plain = try arm(nil, prompt, file, seeds: (0..<count).map { seed &+ UInt64($0) }) {
      progress($0, total)
    }
    let prior = try arm(file.prior, prompt, file, seeds: (0..<count).map { seed &+ UInt64($0) }) {
      progress(count + $0, total)
    }
    // Seeds apart from those of the plain pictures.
    let many = try arm(
      nil, prompt, file, seeds: (0..<count * bestOf).map { seed &+ UInt64(count + $0) }
    ) { progress(2 * count + $0, total) }
    let best = Self.best(of: many, groupSize: bestOf)
    let arms = [plain, prior, best]
    func score(_ estimates: [ScoreEstimate?]) -> NoiseComparison.Score {
      .init(plain: estimates[0], prior: estimates[1], bestOfN: estimates[2])
    }
    var scores = [
      "reward": score(arms.map { ScoreEstimate($0.rewards.compactMap { $0.map(Double.init) }) })
    ]
    if let features {
      scores["diversity"] = score(
        arms.map { Diversity.estimate(ofFeatures: features.features(of: $0.images)) })
    }
    for judge in judges {
      let numbers = try arms.map { try judge.scores($0.images, prompt) }
      for (index, name) in judge.names.enumerated() {
        scores[name] = score(numbers.map { ScoreEstimate($0[index].compactMap { $0 }) })
      }
    }
    return NoiseComparison(prompt: prompt, count: count, bestOf: bestOf, scores: scores)
  }

  private func arm(
    _ prior: NoisePrior?, _ prompt: String, _ file: NoisePriorFile, seeds: [UInt64],
    progress: (Int) -> Void
  ) throws -> Arm {
    var arm = Arm(images: [], rewards: [])
    let shape = try pipeline.sampleShape(settings)
    for start in stride(from: 0, to: seeds.count, by: settings.batchSize) {
      let batch = Array(seeds[start..<min(seeds.count, start + settings.batchSize)])
      var source = TorchImageNoise(seeds: batch)
      let unit = source.noise([batch.count] + shape)
      let pictures = try pipeline.generate(
        prompts: [prompt], negativePrompts: [file.origin.negativePrompt], seeds: batch,
        settings: settings, initialNoise: prior?.noise(from: unit) ?? unit)
      let images = Image.batch(pictures, range: .zeroToOne)
      arm.rewards += try reward.judged(
        images, prompts: [String](repeating: prompt, count: images.count)
      ).values
      arm.images += images
      progress(arm.images.count)
    }
    return arm
  }

  /// The picture with the highest reward of each group.
  private static func best(of arm: Arm, groupSize: Int) -> Arm {
    var best = Arm(images: [], rewards: [])
    for start in stride(from: 0, to: arm.images.count, by: groupSize) {
      let group = start..<min(arm.images.count, start + groupSize)
      let winner = group.max {
        (arm.rewards[$0] ?? -.infinity) < (arm.rewards[$1] ?? -.infinity)
      }
      if let winner {
        best.images.append(arm.images[winner])
        best.rewards.append(arm.rewards[winner])
      }
    }
    return best
  }
}
