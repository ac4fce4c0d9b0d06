import Media
import Tensors

/// Decides from pixels, without a trained network, which character a clip shows and what it does: the
/// nearest one that the sheets can paint, by mean absolute difference over all frames.
///
/// The search goes slot by slot from what a prompt asks for, so that what it finds equals what was
/// asked only where every other phrase in a slot, and every other action, is farther from the clip.
public struct SpriteComparison: Sendable {
  /// The nearest character.
  public struct Match: Sendable, Equatable {
    /// The character and its action.
    public let sprite: Sprite
    /// The mean absolute difference where the character is painted, where black is -1 and white is 1.
    public let distance: Float
    /// Whether the clip shows anything like it: the distance is small enough.
    public let isNearEnough: Bool
    /// The mean absolute difference between neighbouring frames of the clip, over that of the
    /// character as it is painted: 1 moves as it should, less is frozen, more flickers.
    public let motionRatio: Float
  }

  /// Paints the characters.
  public let composer: SpriteComposer
  /// The greatest distance of a clip that shows a character.
  ///
  /// That of a painted clip with normal noise of standard deviation s is s (2 / pi)^1/2, where nothing
  /// is clamped: 0.24 for 0.3.
  public static let tolerance: Float = 0.3
  private let width: Int, height: Int
  /// Rounds over all slots; the search ends before where nothing changes.
  private static let maximumRoundCount = 4

  /// Compares clips of a size in pixels.
  public init(_ composer: SpriteComposer, width: Int, height: Int) {
    self.composer = composer
    self.width = width
    self.height = height
  }

  /// The character that is nearest to a clip.
  ///
  /// - Parameters:
  ///   - frames: of the size and number that the composer paints.
  ///   - wanted: where the search starts: what a prompt asks for.
  public func nearest(to frames: [Image], wanted: PromptAttributes) -> Match {
    precondition(
      frames.count == composer.frameCount
        && frames.allSatisfy { ($0.width, $0.height) == (width, height) },
      "a clip of \(frames.count) frames for sheets that paint \(composer.frameCount)")
    let clip = frames.flatMap { $0.rgb().samples }
    let catalog = composer.catalog
    var action =
      catalog.actions.first { $0.phrase == wanted[.action] } ?? catalog.actions[0]
    var items = SpriteSlot.allCases.compactMap { slot -> SpriteItem? in
      let candidates = catalog.items(of: slot).filter { composer.isDrawn($0, in: action) }
      return candidates.first { $0.phrase == wanted[AttributeSlot(slot)] } ?? candidates.first
    }
    var best = distance(of: Sprite(items, action: action), to: clip)
    // What is open is looked for first, so that what is asked is compared beside the right clothes.
    let order =
      SpriteSlot.allCases.filter { wanted[AttributeSlot($0)] == nil }
      + SpriteSlot.allCases.filter { wanted[AttributeSlot($0)] != nil }
    for _ in 0..<Self.maximumRoundCount {
      let before = (items, action)
      if wanted[.action] == nil { chooseAction(&action, items, &best, clip) }
      for slot in order {
        for item in catalog.items(of: slot) where composer.isDrawn(item, in: action) {
          let others = items.filter { $0.slot != slot } + [item]
          let distance = distance(of: Sprite(others, action: action), to: clip)
          if distance < best { (best, items) = (distance, others) }
        }
      }
      chooseAction(&action, items, &best, clip)
      if items == before.0 && action == before.1 { break }
    }
    return match(Sprite(items, action: action), clip)
  }

  private func chooseAction(
    _ action: inout SpriteAction, _ items: [SpriteItem], _ best: inout Int, _ clip: [UInt8]
  ) {
    for other in composer.catalog.actions
    where items.allSatisfy({ composer.isDrawn($0, in: other) }) {
      let distance = distance(of: Sprite(items, action: other), to: clip)
      if distance < best { (best, action) = (distance, other) }
    }
  }

  private func samples(of sprite: Sprite) -> [UInt8] {
    composer.frames(of: sprite, width: width, height: height).flatMap(\.samples)
  }

  /// The sum of absolute differences of all samples.
  private func distance(of sprite: Sprite, to clip: [UInt8]) -> Int {
    zip(samples(of: sprite), clip).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
  }

  private func match(_ sprite: Sprite, _ clip: [UInt8]) -> Match {
    let painted = samples(of: sprite)
    let background = [composer.background.red, composer.background.green, composer.background.blue]
    var (sum, count) = (0, 0)
    for start in stride(from: 0, to: painted.count, by: 3) {
      let isFigure = (0..<3).contains { painted[start + $0] != background[$0] }
      guard isFigure else { continue }
      for place in start..<start + 3 { sum += abs(Int(painted[place]) - Int(clip[place])) }
      count += 3
    }
    let distance = Float(sum) / Float(max(1, count)) * 2 / 255
    return Match(
      sprite: sprite, distance: distance, isNearEnough: distance < Self.tolerance,
      motionRatio: Float(motion(clip)) / Float(max(1, motion(painted))))
  }

  /// The sum of absolute differences between neighbouring frames.
  private func motion(_ clip: [UInt8]) -> Int {
    let size = width * height * 3
    return (0..<clip.count - size).reduce(0) { $0 + abs(Int(clip[$1 + size]) - Int(clip[$1])) }
  }
}
