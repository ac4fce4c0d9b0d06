import CaptionedImages
import Media
import Runs

/// Captioned pictures to train on.
public struct CaptionedDataSettings: RunConfiguration {
  /// What lies at `path`.
  public enum Kind: String, Codable, CaseIterable, Sendable {
    /// Layers of paper dolls, composed without end.
    case dolls
    /// PNG files with captions.
    case folder
    /// Pictures and captions in one file.
    case npz
  }

  /// What lies at `path`.
  public var kind = Kind.dolls
  /// The folder or file.
  public var path = ""
  /// Pixels in a row of each picture; that of the layers or arrays if there is none.
  public var width: Int?
  /// Rows of each picture.
  public var height: Int?
  /// The color behind what is transparent, RRGGBB; a light grey-green for dolls, else white.
  public var background: String?
  /// How dolls are drawn.
  public var dolls = DollDistribution()

  /// What holds where nothing else is set.
  public static let defaults = CaptionedDataSettings()

  /// Checks ranges.
  public func validate() throws {
    if path.isEmpty {
      throw ConfigurationError.badValue(
        key: "path", found: "nothing", expected: "the path of the \(kind.rawValue)")
    }
    for (key, side) in [("width", width), ("height", height)] {
      if let side, !(1...8_192).contains(side) {
        throw ConfigurationError.badValue(key: key, found: "\(side)", expected: "1 to 8192")
      }
    }
    if let background, Color(hexadecimal: background) == nil {
      throw ConfigurationError.badValue(
        key: "background", found: background, expected: "a color such as ffffff")
    }
  }

  /// Opens the pictures.
  ///
  /// - Parameters:
  ///   - seed: decides what is composed.
  ///   - size: of pictures in files, where the settings do not say.
  func makeSource(
    seed: UInt64, size: (width: Int, height: Int)?
  ) throws -> any CaptionedImageSource {
    let color = background.flatMap(Color.init(hexadecimal:))
    let (width, height) = (width ?? size?.width, height ?? size?.height)
    switch kind {
    case .dolls:
      let composer = try DollComposer(
        folder: path, distribution: dolls, background: color ?? DollComposer.lightBackground)
      return try DollSource(composer, seed: seed, width: width, height: height)
    case .npz:
      return try ImageArraySource(path: path, width: width, height: height)
    case .folder:
      guard let width, let height else {
        throw ConfigurationError.badValue(
          key: width == nil ? "data.width" : "data.height", found: "nothing",
          expected: "a number of pixels, as files may differ in size")
      }
      return try ImageFolderSource(
        path: path, width: width, height: height, background: color ?? .white)
    }
  }
}
