import CaptionedMedia
import Configuration
import Media
import Runs

/// Captioned images or clips to train on.
public struct CaptionedDataSettings: Settings {
  /// What lies at `path`.
  public enum Kind: String, Codable, CaseIterable, Sendable {
    /// Layers of paper dolls, composed without end.
    case dolls
    /// PNG files with captions.
    case folder
    /// Images and captions in one file.
    case npz
    /// Clips of characters of sprite sheets, composed without end.
    case sprites
    /// Videos, GIFs or folders of frames with captions.
    case clips
  }

  /// What lies at `path`.
  public var kind = Kind.dolls
  /// The folder or file.
  public var path = ""
  /// Pixels in a row of each image; that of the layers or arrays if there is none.
  @Setting(1...8_192) public var width: Int? = nil
  /// Rows of each image.
  @Setting(1...8_192) public var height: Int? = nil
  /// Frames of each clip.
  @Setting(1...1_024) public var frames = 8
  /// The color behind what is transparent, RRGGBB; a light grey-green for dolls, grey for sprites,
  /// else white.
  public var background: String?
  /// How dolls are drawn.
  public var dolls = DollDistribution()
  /// How characters of sprite sheets are drawn.
  public var sprites = SpriteDistribution()

  /// The defaults.
  public init() {}

  /// Checks settings that depend on one another.
  public func checkRelations() throws {
    try ConfigurationError.require(
      !path.isEmpty, "path", "nothing", "the path of the \(kind.rawValue)")
    if let background {
      try ConfigurationError.require(
        Color(hexadecimal: background) != nil, "background", background,
        "a color such as ffffff")
    }
  }

  /// Opens the images or clips.
  ///
  /// - Parameters:
  ///   - seed: decides what is composed.
  ///   - size: of images in files, where the settings do not say.
  func makeSource(
    seed: UInt64, size: (width: Int, height: Int)?
  ) throws -> any CaptionedMediaSource {
    let color = background.flatMap(Color.init(hexadecimal:))
    let (width, height) = (width ?? size?.width, height ?? size?.height)
    switch kind {
    case .dolls:
      let composer = try DollComposer(
        folder: path, distribution: dolls, background: color ?? DollComposer.lightBackground)
      return try DollSource(composer, seed: seed, width: width, height: height)
    case .sprites:
      let composer = try SpriteComposer(
        folder: path, frameCount: frames, background: color ?? SpriteComposer.grey)
      return try SpriteSource(
        SpriteSampler(composer, distribution: sprites), seed: seed, width: width ?? 32,
        height: height ?? 32)
    case .npz:
      return try ImageArraySource(path: path, width: width, height: height)
    case .folder, .clips:
      guard let width, let height else {
        throw ConfigurationError.badValue(
          key: width == nil ? "data.width" : "data.height", found: "nothing",
          expected: "a number of pixels, as files may differ in size")
      }
      return kind == .folder
        ? try ImageFolderSource(
          path: path, width: width, height: height, background: color ?? .white)
        : try ClipFolderSource(
          path: path, frames: frames, width: width, height: height, background: color ?? .white)
    }
  }
}
