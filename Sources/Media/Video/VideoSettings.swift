/// How a video is encoded.
public struct VideoSettings: Sendable {
  /// An encoder, or the best one at hand.
  public enum Codec: String, CaseIterable, Sendable {
    /// H.264 where libavcodec has libx264, otherwise MPEG-4.
    case automatic
    /// H.264 through libx264.
    case h264
    /// MPEG-4 part 2.
    case mpeg4
  }

  /// Frames a second.
  public var frameRate: Double
  /// The constant rate factor of x264, 1 to 51, lower is better; 18 looks like the original.
  public var quality: Int
  /// The encoder.
  public var codec: Codec
  /// What transparent pixels are laid over.
  public var background: Color

  /// Makes settings; the defaults suit recordings of simulators and samples of models.
  public init(
    frameRate: Double = 24, quality: Int = 18, codec: Codec = .automatic, background: Color = .black
  ) {
    self.frameRate = frameRate
    self.quality = quality
    self.codec = codec
    self.background = background
  }

  func check(file: String, width: Int, height: Int) throws(VideoError) {
    guard (1...16_384).contains(width), (1...16_384).contains(height) else {
      throw .invalidSetting(
        file: file, setting: "the frame size", found: "\(width)x\(height)",
        expected: "1x1 to 16384x16384")
    }
    guard frameRate >= 0.01, frameRate <= 1_000 else {
      throw .invalidSetting(
        file: file, setting: "the frame rate", found: "\(frameRate)",
        expected: "0.01 to 1000 frames a second")
    }
    guard (1...51).contains(quality) else {
      throw .invalidSetting(
        file: file, setting: "the quality", found: "\(quality)", expected: "1 (best) to 51")
    }
  }
}
