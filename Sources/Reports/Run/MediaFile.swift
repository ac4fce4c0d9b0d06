import Files
import Foundation
import Media

/// An image or a video of a run, as a page holds it.
struct MediaFile {
  enum Kind: String {
    case image = "image/png"
    case video = "video/mp4"
  }

  let kind: Kind
  /// The file's name without its ending.
  let name: String
  /// In pixels; nil for a video.
  let size: (width: Int, height: Int)?
  /// The whole file as text.
  let uri: String

  /// Reads a file and checks that a browser can show it.
  ///
  /// - Throws: `FileError`, `ImageFileError`.
  init(path: String, kind: Kind, maxByteCount: Int) throws {
    let bytes = try BinaryFile.read(path: path, maxByteCount: maxByteCount)
    switch kind {
    case .image:
      let image = try Image(pngBytes: bytes, name: path)
      size = (image.width, image.height)
    case .video:
      // The first box of an MP4 file, after its length.
      guard bytes.count > 8, bytes[4..<8].elementsEqual("ftyp".utf8) else {
        throw FileError(.malformed, path: path, problem: "is not an MP4 video")
      }
      size = nil
    }
    self.kind = kind
    let file = path.split(separator: "/").last.map(String.init) ?? path
    name = file.lastIndex(of: ".").map { String(file[..<$0]) } ?? file
    uri = "data:\(kind.rawValue);base64,\(Data(bytes).base64EncodedString())"
  }
}

/// How much a page may hold.
public struct ReportLimits: Sendable {
  /// The largest image, in bytes.
  public var imageByteCount = 8_000_000
  /// The maximum number of images; of more, the first and the last and some between are shown.
  public var imageCount = 24
  /// The largest video, in bytes.
  public var videoByteCount = 16_000_000
  /// The most videos, the last ones by name.
  public var videoCount = 8
  /// All images and videos together, in bytes.
  public var totalByteCount = 64_000_000

  /// The usual limits.
  public init() {}
}
