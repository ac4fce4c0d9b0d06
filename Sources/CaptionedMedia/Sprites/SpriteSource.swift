import Media
import Tensors

/// Clips of random characters of sprite sheets with captions, without end.
public struct SpriteSource: CaptionedMediaSource {
  /// Draws the characters.
  public let sampler: SpriteSampler
  /// Decides everything, together with a pair's number.
  public let seed: UInt64
  /// Which characters are drawn.
  public let pairs: PairSelection
  /// The size of the frames in pixels.
  public let width: Int, height: Int

  /// Draws from sheets.
  ///
  /// - Throws: `CaptionedDataError` if held-out pairs are asked for and there are none.
  public init(
    _ sampler: SpriteSampler, seed: UInt64, pairs: PairSelection = .training, width: Int = 32,
    height: Int = 32
  ) throws(CaptionedDataError) {
    guard pairs != .heldOut || !sampler.heldOutPairs.isEmpty else {
      throw CaptionedDataError(
        file: "sprites", problem: "there are no held-out pairs to draw",
        advice: "set heldOutActionCount or heldOutTopwearCount")
    }
    precondition(width > 0 && height > 0, "frames of \(width)x\(height)")
    self.sampler = sampler
    self.seed = seed
    self.pairs = pairs
    self.width = width
    self.height = height
  }

  /// Nil: there is a character for every number.
  public var count: Int? { nil }

  /// Frames of each clip.
  public var frames: Int? { sampler.composer.frameCount }

  /// The character of a number.
  public func sprite(at index: Int) -> Sprite {
    sampler.sprite(seed: seed, index: index, pairs: pairs)
  }

  /// The characters of the given numbers, painted and captioned: images `[B, F, H, W, 3]`.
  public func batch(at indices: [Int]) -> CaptionedMedia {
    let sprites = indices.map(sprite)
    let images = sprites.flatMap {
      sampler.composer.frames(of: $0, width: width, height: height)
    }
    return CaptionedMedia(
      images: SampleTable.batch(images, width: width, height: height)
        .reshaped(to: [indices.count, sampler.composer.frameCount, height, width, 3]),
      captions: captions(of: sprites, at: indices))
  }

  /// The captions of the given numbers, which need no painting.
  public func captions(at indices: [Int]) -> [String] {
    captions(of: indices.map(sprite), at: indices)
  }

  private func captions(of sprites: [Sprite], at indices: [Int]) -> [String] {
    zip(indices, sprites).map { sampler.caption(of: $1, seed: seed, index: $0) }
  }
}
