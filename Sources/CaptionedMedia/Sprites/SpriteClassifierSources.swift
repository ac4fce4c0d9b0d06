import Media
import Tensors

/// Single frames of clips, for a classifier of looks.
public struct SpriteFrameSource: AttributedMediaSource {
  /// Where the clips come from.
  public let clips: SpriteSource

  /// Takes frames of clips.
  public init(_ clips: SpriteSource) { self.clips = clips }

  /// What a frame shows: all slots but the action.
  public var slots: [(slot: AttributeSlot, phrases: [String])] {
    clips.sampler.composer.catalog.lookPhrases
  }
  /// Nil: images.
  public var frames: Int? { nil }
  /// The size of the frames in pixels.
  public var width: Int { clips.width }
  /// The size of the frames in pixels.
  public var height: Int { clips.height }

  /// A random frame of the clip of each number.
  public func attributed(at indices: [Int]) -> AttributedMedia {
    let batch = clips.batch(at: indices).images
    let images = indices.enumerated().map { row, index in
      var random = RandomStream(seed: clips.seed, purpose: "frame of a sprite", index: index)
      return batch[row][random.integer(below: batch.shape[1])]
    }
    return AttributedMedia(
      images: .stacked(images),
      attributes: indices.map {
        var attributes = clips.sprite(at: $0).attributes
        attributes[.action] = nil
        return attributes
      })
  }
}

/// Clips for a classifier of motion: some are spoiled and show no action, so that a still image in the
/// right pose, or one that flickers, does not pass.
public struct SpriteMotionSource: AttributedMediaSource {
  /// What spoils a clip.
  enum Fault: CaseIterable {
    /// One frame stands still.
    case frozen
    /// Frames are out of order.
    case shuffled
    /// Time runs backwards.
    case reversed
    /// In the middle another action begins.
    case otherAction
    /// In the middle another character comes.
    case otherCharacter
  }

  /// Where the clips come from.
  public let clips: SpriteSource
  /// The fraction of clips that are spoiled.
  public let spoiledFraction: Double
  /// Faults that change a clip by less than this mean distance, where black is -1 and white is 1,
  /// are none: an arm that rises and sinks does the same backwards.
  private static let noticeableChange: Float = 0.02

  /// Takes clips.
  public init(_ clips: SpriteSource, spoiledFraction: Double = 0.25) {
    precondition((0...1).contains(spoiledFraction), "a fraction of \(spoiledFraction)")
    self.clips = clips
    self.spoiledFraction = spoiledFraction
  }

  /// The action.
  public var slots: [(slot: AttributeSlot, phrases: [String])] {
    clips.sampler.composer.catalog.motionPhrases
  }
  /// Frames of each clip.
  public var frames: Int? { clips.frames }
  /// The size of the frames in pixels.
  public var width: Int { clips.width }
  /// The size of the frames in pixels.
  public var height: Int { clips.height }

  /// The clip of each number, or what became of it.
  public func attributed(at indices: [Int]) -> AttributedMedia {
    let whole = clips.batch(at: indices).images
    var images: [Tensor] = []
    var attributes: [[AttributeSlot: String]] = []
    for (row, index) in indices.enumerated() {
      var random = RandomStream(seed: clips.seed, purpose: "fault of a sprite", index: index)
      let sprite = clips.sprite(at: index)
      let isSpoiled = Double.random(in: 0..<1, using: &random) < spoiledFraction
      if isSpoiled, let spoiled = spoiled(whole[row], of: sprite, random: &random) {
        images.append(spoiled)
        attributes.append([:])
      } else {
        images.append(whole[row])
        attributes.append([.action: sprite.action.phrase])
      }
    }
    return AttributedMedia(images: .stacked(images), attributes: attributes)
  }

  /// A clip `[F, H, W, 3]` with a fault; nil if it can hardly be seen.
  private func spoiled(
    _ clip: Tensor, of sprite: Sprite, random: inout RandomStream
  ) -> Tensor? {
    let count = clip.shape[0]
    let fault = Fault.allCases[random.integer(below: Fault.allCases.count)]
    func ordered(_ order: [Int]) -> Tensor { .stacked(order.map { clip[$0] }) }
    func halves(_ other: Sprite) -> Tensor {
      let images = clips.sampler.composer.frames(of: other, width: width, height: height)
      let second = SampleTable.batch(images, width: width, height: height)
      return .concatenated([clip.slice(0..<count / 2), second.slice(count / 2..<count)], along: 0)
    }
    let other = clips.sampler.sprite(
      seed: clips.seed, index: random.integer(below: 1 << 30), pairs: .all)
    let spoiled: Tensor
    switch fault {
    case .frozen:
      let frame = random.integer(below: count)
      spoiled = ordered([Int](repeating: frame, count: count))
    case .shuffled: spoiled = ordered(random.permutation(count))
    case .reversed: spoiled = ordered((0..<count).reversed())
    case .otherAction:
      // The same character, where the sheets draw its clothes in the other action.
      guard other.action != sprite.action,
        sprite.items.allSatisfy({ clips.sampler.composer.isDrawn($0, in: other.action) })
      else { return nil }
      spoiled = halves(Sprite(sprite.items, action: other.action))
    case .otherCharacter:
      guard other.items.allSatisfy({ clips.sampler.composer.isDrawn($0, in: sprite.action) }) else {
        return nil
      }
      spoiled = halves(Sprite(other.items, action: sprite.action))
    }
    let change = (spoiled - clip).elements.reduce(Float(0)) { $0 + abs($1) } / Float(clip.count)
    return change > Self.noticeableChange ? spoiled : nil
  }
}
