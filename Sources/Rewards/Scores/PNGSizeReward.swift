import Media

/// How many kilobytes images take as PNG files; with sign -1, how few.
///
/// The rewards of DDPO (Black et al., arXiv:2305.13301) with a lossless format in JPEG's place.
public struct PNGSizeReward: ImageReward {
  /// What is rewarded.
  public enum Direction: String, Sendable, CaseIterable {
    /// Small files.
    case compressibility
    /// Large files.
    case incompressibility
  }

  /// What is rewarded.
  public let direction: Direction

  /// Rewards small or large files.
  public init(_ direction: Direction) { self.direction = direction }

  /// `compressibility`, and `incompressibility`, which is `png-size` too.
  static let kinds = [
    RewardKind(name: "compressibility", make: { _ in PNGSizeReward(.compressibility) }),
    RewardKind(
      name: "incompressibility", aliases: ["png-size"],
      make: { _ in PNGSizeReward(.incompressibility) }),
  ]

  /// `compressibility` or `incompressibility`.
  public var name: String { direction.rawValue }

  /// Units of 1000 bytes for each image, negative for compressibility.
  public func scores(images: [Image], prompts: [String]) -> [Float] {
    let sign: Float = direction == .compressibility ? -1 : 1
    return images.map { sign * Float($0.pngBytes().count) / 1000 }
  }
}
