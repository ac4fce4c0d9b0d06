import CaptionedMedia
import Media
import Tensors
import TestSupport
import Testing

/// What is read from pixels is what was painted.
@Suite struct SpriteComparisonTests {
  private let composer: SpriteComposer
  private let sampler: SpriteSampler
  private let parser: PromptParser

  init() throws {
    composer = try SpriteComposer(folder: Repository.golden("CaptionedMedia/sprites"))
    var distribution = SpriteDistribution()
    (distribution.heldOutActionCount, distribution.heldOutTopwearCount) = (0, 0)
    distribution.exponent = 0
    sampler = try SpriteSampler(composer, distribution: distribution)
    parser = PromptParser(
      phrases: composer.catalog.lookPhrases + composer.catalog.motionPhrases)
  }

  private func noisy(_ frames: [Image], _ deviation: Float, seed: UInt64) -> [Image] {
    var random = RandomStream(seed: seed)
    return frames.map { frame in
      let clean = frame.tensor(range: .minusOneToOne)
      return Image(
        clean + random.normal(clean.shape, standardDeviation: deviation), range: .minusOneToOne)
    }
  }

  @Test(arguments: [Float(0), 0.1, 0.3]) func findsWhatWasPainted(deviation: Float) {
    let comparison = SpriteComparison(composer, width: 32, height: 32)
    for index in 0..<24 {
      let sprite = sampler.sprite(seed: 4, index: index)
      let caption = sampler.caption(of: sprite, seed: 4, index: index)
      let frames = noisy(
        composer.frames(of: sprite, width: 32, height: 32), deviation, seed: UInt64(index))
      let match = comparison.nearest(to: frames, wanted: parser.attributes(in: caption))
      let visible = composer.visibleSlots(of: sprite)
      #expect(match.sprite.action == sprite.action)
      for slot in visible { #expect(match.sprite[slot].phrase == sprite[slot].phrase) }
      #expect(match.isNearEnough)
      #expect(deviation == 0 ? match.distance == 0 : match.distance > 0.5 * deviation)
      if deviation == 0 { #expect(match.motionRatio == 1) }
    }
  }

  /// What a prompt asks for is not found where it is not.
  @Test func whatIsAskedForIsNoHelp() {
    let comparison = SpriteComparison(composer, width: 32, height: 32)
    for index in 0..<24 {
      let sprite = sampler.sprite(seed: 5, index: index)
      let other = sampler.sprite(seed: 5, index: 100 + index)
      let wanted = parser.attributes(
        in: other.caption(mentioning: [.hair, .topwear, .shoes], action: true))
      let frames = noisy(composer.frames(of: sprite, width: 32, height: 32), 0.1, seed: 1)
      let match = comparison.nearest(to: frames, wanted: wanted)
      #expect(match.sprite.action == sprite.action)
      #expect(match.sprite[.hair].phrase == sprite[.hair].phrase)
      #expect(match.sprite[.topwear].phrase == sprite[.topwear].phrase)
    }
  }

  @Test func whatIsNoCharacterIsTooFar() {
    let comparison = SpriteComparison(composer, width: 32, height: 32)
    let wanted = parser.attributes(in: "a green orc, walking to the left")
    // Not grey: that is the background, and the mail of these sheets.
    for color in [Color.white, .black] {
      let blank = [Image](repeating: Image(width: 32, height: 32, filledWith: color), count: 8)
      #expect(!comparison.nearest(to: blank, wanted: wanted).isNearEnough)
    }
  }

  /// A frozen clip does not move, one of noise moves too much.
  @Test func motionIsMeasured() {
    let comparison = SpriteComparison(composer, width: 32, height: 32)
    let sprite = sampler.sprite(seed: 6, index: 0)
    let frames = composer.frames(of: sprite, width: 32, height: 32)
    let wanted = parser.attributes(in: sprite.caption(mentioning: [], action: true))
    let still = [Image](repeating: frames[3], count: 8)
    #expect(comparison.nearest(to: still, wanted: wanted).motionRatio == 0)
    #expect(comparison.nearest(to: noisy(frames, 0.2, seed: 2), wanted: wanted).motionRatio > 2)
  }
}

/// What metrics learn from.
@Suite struct SpriteClassifierSourceTests {
  private func clips(seed: UInt64 = 3) throws -> SpriteSource {
    var distribution = SpriteDistribution()
    (distribution.heldOutActionCount, distribution.heldOutTopwearCount) = (0, 0)
    return try SpriteSource(
      SpriteSampler(
        SpriteComposer(folder: Repository.golden("CaptionedMedia/sprites")),
        distribution: distribution), seed: seed)
  }

  @Test func framesAreThoseOfTheClips() throws {
    let clips = try clips()
    let source = SpriteFrameSource(clips)
    let batch = source.attributed(in: 0..<40)
    #expect(batch.images.shape == [40, 32, 32, 3] && source.frames == nil)
    var places: Set<Int> = []
    for index in 0..<40 {
      let clip = clips.batch(at: [index]).images[0]
      let place = (0..<8).first { clip[$0].elements == batch.images[index].elements }
      places.insert(try #require(place))
      #expect(batch.attributes[index][.action] == nil)
      #expect(batch.attributes[index][.body] == clips.sprite(at: index)[.body].phrase)
      #expect(batch.attributes[index].count == 5)
    }
    #expect(places.count > 3)
    #expect(source.attributed(at: [7, 7]).images[0].elements == batch.images[7].elements)
  }

  @Test func spoiledClipsShowNoActionAndDiffer() throws {
    let clips = try clips()
    let source = SpriteMotionSource(clips, spoiledFraction: 0.5)
    let batch = source.attributed(in: 0..<200)
    #expect(batch.images.shape == [200, 8, 32, 32, 3] && source.frames == 8)
    var spoiledCount = 0
    for index in 0..<200 {
      let clip = clips.batch(at: [index]).images[0]
      let isWhole = clip.elements == batch.images[index].elements
      #expect(isWhole == (batch.attributes[index][.action] != nil))
      spoiledCount += isWhole ? 0 : 1
    }
    // Some faults cannot be seen in some clips, which then count as whole.
    #expect((30...110).contains(spoiledCount))
    let none = SpriteMotionSource(clips, spoiledFraction: 0).attributed(in: 0..<50)
    #expect(none.attributes.allSatisfy { $0[.action] != nil })
  }
}
