import Files
import Foundation
import Media
import Tensors

/// A folder of clips with captions: videos, GIFs, animated PNGs or folders of PNG frames, listed as
/// images are in an `ImageFolderSource`.
///
/// Of a clip that has more frames than are wanted, some are taken that are spread over all of it,
/// from the first to the last; of one that has fewer, some are shown again.
public struct ClipFolderSource: CaptionedMediaSource {
  /// Frames of the clips that come out.
  public let frames: Int?
  /// The size of the frames in pixels.
  public let width: Int, height: Int
  /// The color behind transparent pixels.
  public let background: Color
  private let frameCount: Int
  private let entries: [CaptionedFile]
  /// The frames of each clip, if all of them fit the memory limit.
  private let clips: [[Image]]?

  /// The number of pairs.
  public var count: Int? { entries.count }

  /// Opens a folder. Frames are scaled to cover the size and cut around the middle.
  ///
  /// - Parameters:
  ///   - path: the folder.
  ///   - frames: of the clips that come out.
  ///   - width: pixels in a row of their frames.
  ///   - height: rows of them.
  ///   - background: lies behind transparent pixels.
  ///   - memoryLimit: if the clips that come out take no more bytes, all are read at once; otherwise
  ///     each is read whenever it is asked for.
  /// - Throws: `FileError`, `ImageFileError`, `VideoError` or `CaptionedDataError`, which name file
  ///   and row.
  public init(
    path: String, frames: Int, width: Int, height: Int, background: Color = .white,
    memoryLimit: Int = 1 << 30
  ) throws {
    precondition(frames > 0 && width > 0 && height > 0, "\(frames) frames of \(width)x\(height)")
    self.frames = frames
    frameCount = frames
    self.width = width
    self.height = height
    self.background = background
    let entries = try CaptionedFile.list(inFolder: path, of: .clip)
    self.entries = entries
    let isSmall = entries.count <= memoryLimit / (3 * frames * width * height)
    clips =
      isSmall
      ? try entries.map {
        try $0.frames(count: frames, width: width, height: height, background: background)
      } : nil
  }

  /// The pairs of the given numbers, which are those of rows, or of files by name: images
  /// `[B, F, H, W, 3]`.
  ///
  /// - Throws: `VideoError`, `ImageFileError` or `CaptionedDataError` if a clip cannot be read.
  public func batch(at indices: [Int]) throws -> CaptionedMedia {
    let chosen = try indices.flatMap { index in
      precondition(entries.indices.contains(index), "pair \(index) of \(entries.count)")
      return try clips?[index]
        ?? entries[index].frames(
          count: frameCount, width: width, height: height, background: background)
    }
    return CaptionedMedia(
      images: SampleTable.batch(chosen, width: width, height: height)
        .reshaped(to: [indices.count, frameCount, height, width, 3]),
      captions: indices.map { entries[$0].caption })
  }

  /// The captions of the pairs of the given numbers.
  public func captions(at indices: [Int]) -> [String] { indices.map { entries[$0].caption } }
}

extension CaptionedFile {
  /// Reads frames of the clip, spread over it, at a size.
  fileprivate func frames(
    count: Int, width: Int, height: Int, background: Color
  ) throws -> [Image] {
    var isFolder: ObjCBool = false
    _ = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    let images: [Image]
    if isFolder.boolValue {
      let names = try FileManager.default.contentsOfDirectory(atPath: path)
        .filter { $0.lowercased().hasSuffix(".png") }.sorted()
      guard !names.isEmpty else {
        throw CaptionedDataError(
          file: path, problem: "has no PNG frames", advice: "name them 00.png, 01.png and so on")
      }
      images = try VideoReader.indices(count: count, of: names.count).map {
        try Image(contentsOfFile: "\(path)/\(names[$0])")
      }
    } else {
      images = try VideoReader(path: path, background: background).frames(count: count)
    }
    return images.map { $0.fitted(width: width, height: height, background: background) }
  }
}
