/// How a video is encoded.
public struct VideoSettings: Sendable {
  /// A kind of file.
  public enum Container: String, CaseIterable, Sendable {
    /// H.264 or MPEG-4, YUV 4:2:0: small, with a loss, for players and browsers.
    case mp4
    /// At most 256 colors in all: exact where the frames have no more, as flat art does.
    case gif
    /// Animated PNG: every frame exact, for browsers; other programs show the first frame.
    case apng

    /// What the ending of a path names: `.mp4`, `.gif`, and `.png` or `.apng`; nil for another.
    public init?(path: String) {
      switch Container.ending(of: path)?.lowercased() {
      case "mp4": self = .mp4
      case "gif": self = .gif
      case "png", "apng": self = .apng
      default: return nil
      }
    }

    /// What follows the last dot of the name; nil without one.
    static func ending(of path: String) -> String? {
      let name = path.split(separator: "/").last ?? ""
      return name.lastIndex(of: ".").map { String(name[name.index(after: $0)...]) }
    }
  }

  /// An encoder of MP4 files, or the best one at hand.
  public enum Codec: String, CaseIterable, Sendable {
    /// H.264 where libavcodec has libx264, otherwise MPEG-4.
    case automatic
    /// H.264 through libx264.
    case h264
    /// MPEG-4 part 2.
    case mpeg4
  }

  /// Frames a second; a GIF has at most 50, because browsers slow down what is faster.
  public var frameRate: Double
  /// The constant rate factor of x264, 1 to 51, lower is better; 18 looks like the original. GIF
  /// and APNG have no such choice.
  public var quality: Int
  /// The encoder of an MP4 file.
  public var codec: Codec
  /// What transparent pixels are laid over; an APNG of RGBA frames keeps them transparent.
  public var background: Color
  /// The kind of file; that of the path's ending if there is none.
  public var container: Container?

  /// Makes settings; the defaults suit recordings of simulators and samples of models.
  public init(
    frameRate: Double = 24, quality: Int = 18, codec: Codec = .automatic,
    background: Color = .black, container: Container? = nil
  ) {
    self.frameRate = frameRate
    self.quality = quality
    self.codec = codec
    self.background = background
    self.container = container
  }

  /// The kind of file to write at `file`.
  func container(file: String) throws(VideoError) -> Container {
    if let container { return container }
    guard let container = Container(path: file) else {
      let ending = Container.ending(of: file).map { ".\($0)" }
      throw .invalidSetting(
        file: file, setting: "the ending of the name", found: ending ?? "missing",
        expected: ".mp4, .gif or .png")
    }
    return container
  }

  func check(
    file: String, container: Container, width: Int, height: Int
  ) throws(VideoError) {
    guard (1...16_384).contains(width), (1...16_384).contains(height) else {
      throw .invalidSetting(
        file: file, setting: "the frame size", found: "\(width)x\(height)",
        expected: "1x1 to 16384x16384")
    }
    // Browsers show a GIF's frame of less than two hundredths of a second for ten.
    let rates = container == .gif ? 0.01...50 : 0.01...1_000
    guard rates.contains(frameRate) else {
      throw .invalidSetting(
        file: file, setting: "the frame rate", found: "\(frameRate)",
        expected: container == .gif
          ? "0.01 to 50 frames a second in a GIF" : "0.01 to 1000 frames a second")
    }
    guard (1...51).contains(quality) else {
      throw .invalidSetting(
        file: file, setting: "the quality", found: "\(quality)", expected: "1 (best) to 51")
    }
    guard codec == .automatic || container == .mp4 else {
      throw .invalidSetting(
        file: file, setting: "the codec", found: codec.rawValue,
        expected: "automatic for any file but an MP4")
    }
  }
}
