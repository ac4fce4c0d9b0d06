import CaptionedMedia
import Media
import NeuralNetworks
import Tensors
import TestSupport
import Testing

@testable import Rewards

/// Classifiers of sprites: what they learn, and what they and the pixels say of clips.
@Suite(.serialized) struct SpriteMetricsTests {
  private let composer: SpriteComposer
  private let sampler: SpriteSampler

  init() throws {
    composer = try SpriteComposer(folder: Repository.golden("CaptionedMedia/sprites"))
    var distribution = SpriteDistribution()
    (distribution.heldOutActionCount, distribution.heldOutTopwearCount) = (0, 0)
    distribution.exponent = 0
    sampler = try SpriteSampler(composer, distribution: distribution)
  }

  /// A classifier after a few steps, on frames or on clips of 16 x 16 pixels.
  private func classifier(isOfClips: Bool, stepCount: Int) throws -> AttributeClassifier {
    var configuration = ClassifierTrainingConfiguration()
    configuration.channels = [8, 8, 16]
    configuration.hiddenSize = 32
    configuration.noise = 0.1
    configuration.optimization.batchSize = 32
    configuration.optimization.stepCount = stepCount
    configuration.optimization.learningRate = 4e-3
    configuration.optimization.warmUpStepCount = 5
    configuration.optimization.emaDecay = 0.9
    func source(_ seed: UInt64) throws -> any AttributedMediaSource {
      let clips = try SpriteSource(sampler, seed: seed, pairs: .all, width: 16, height: 16)
      return isOfClips ? SpriteMotionSource(clips) : SpriteFrameSource(clips)
    }
    let training = try ClassifierTraining(
      configuration, source: source(1), unseen: source(2), heldOut: nil, sizeKey: "sprites.size",
      validationCount: 64, seed: 1)
    for _ in 0..<stepCount { _ = try training.step() }
    let accuracy = try #require(try training.validationMetrics()["attributeAccuracy"])
    #expect(accuracy > (isOfClips ? 0.6 : 0.8), "\(accuracy)")
    return try training.emaClassifier()
  }

  private func media(_ sprite: Sprite, size: Int = 16) -> Media {
    .clip(Clip(frames: composer.frames(of: sprite, width: size, height: size), frameRate: 8))
  }

  /// Both kinds learn, are written and read, and agree with what was painted.
  @Test func classifiersLearnAndAgree() throws {
    let folder = try TemporaryFolder()
    let look = try classifier(isOfClips: false, stepCount: 60)
    let motion = try classifier(isOfClips: true, stepCount: 120)
    try look.write(folder: folder.file("look"))
    try motion.write(folder: folder.file("motion"))
    let readMotion = try AttributeClassifier(folder: folder.file("motion"))
    #expect(readMotion.configuration == motion.configuration)
    #expect(readMotion.configuration.frameCount == 8)
    let metrics = SpriteMetrics(
      composer: composer, look: try AttributeClassifier(folder: folder.file("look")),
      motion: readMotion)
    let sprites = (0..<40).map { sampler.sprite(seed: 8, index: $0, pairs: .all) }
    let prompts = sprites.map { $0.caption(mentioning: [.topwear], action: true) }
    let findings = metrics.findings(in: sprites.map { media($0) }, prompts: prompts)
    func mean(_ number: (SpriteMetrics.Findings) -> Double?) -> Double {
      let values = findings.compactMap(number)
      return values.reduce(0, +) / Double(max(1, values.count))
    }
    #expect(mean(\.exactEverything) == 1 && mean(\.motionRatio) == 1 && mean(\.exactAction) == 1)
    #expect(mean(\.attributes) > 0.7 && mean(\.action) > 0.6)
    // A frozen clip is seen by pixels, and by the classifier that learned what does not move.
    let frozen = sprites.map { sprite -> Media in
      let frame = media(sprite).frames[2]
      return .clip(Clip(frames: [Image](repeating: frame, count: 8), frameRate: 8))
    }
    let still = metrics.findings(in: frozen, prompts: prompts)
    #expect(still.allSatisfy { $0.motionRatio == 0 && $0.steadyIdentity == 1 })
    let moving = still.compactMap(\.action).reduce(0, +) / 40
    #expect(moving < mean(\.action) - 0.2, "\(moving)")

    // The rewards: a look is scored by frame, a motion by clip, and an image has none.
    let lookReward = AttributeReward(look, path: "look")
    let clip = media(sprites[0])
    let perFrame = try lookReward.scores(
      images: clip.frames, prompts: [String](repeating: prompts[0], count: 8))
    let whole = try lookReward.scores([clip], prompts: [prompts[0]])
    #expect(abs(whole[0] - perFrame.reduce(0, +) / 8) < 1e-5)
    let motionReward = AttributeReward(motion, path: "motion")
    let scores = try motionReward.scores(
      [clip, frozen[0]], prompts: [prompts[0], prompts[0]])
    #expect(scores.count == 2 && scores.allSatisfy { (-4...0).contains($0) })
    let error = #expect(throws: RewardError.self) {
      try motionReward.scores(images: [clip.frames[0]], prompts: [prompts[0]])
    }
    #expect("\(try #require(error))".contains("of clips, and was given an image"))
    #expect(motion.seenOverall(in: [.image(clip.frames[0])])[0].phrases.isEmpty)
  }

  /// A clip of another length is seen by frames that are spread over it.
  @Test func longerClipsAreSeenWhole() throws {
    var random = RandomStream(seed: 2)
    let motion = AttributeClassifier(
      .init(imageSize: 16, frameCount: 4, channels: [8, 8, 8], hiddenSize: 16),
      classes: AttributeClasses(slots: composer.catalog.motionPhrases), random: &random)
    let sprite = sampler.sprite(seed: 1, index: 3)
    let frames = media(sprite).frames
    let long = Media.clip(Clip(frames: frames, frameRate: 8))
    let short = Media.clip(Clip(frames: [0, 2, 5, 7].map { frames[$0] }, frameRate: 8))
    #expect(motion.views(of: long)?.elements == motion.views(of: short)?.elements)
    #expect(motion.views(of: long)?.shape == [1, 4, 16, 16, 3])
  }
}
