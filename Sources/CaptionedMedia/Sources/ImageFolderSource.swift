import Files
import Foundation
import Media
import Tensors

/// A folder of PNG images with captions in `metadata.jsonl`, in `metadata.csv`, in `captions.tsv`, or
/// in a text file beside each image; the first of these that is there counts.
///
/// `metadata.jsonl` is that of Hugging Face's image folders, an object with `file_name` and `text`
/// in each line, or these as columns of `metadata.csv`. `captions.tsv` has the columns `file` and
/// `caption`.
public struct ImageFolderSource: CaptionedMediaSource {
  /// The size of the images in pixels.
  public let width: Int, height: Int
  /// The color behind transparent pixels.
  public let background: Color
  private let entries: [CaptionedFile]
  /// The images, if all of them fit the memory limit.
  private let images: [Image]?

  /// The number of pairs.
  public var count: Int? { entries.count }

  /// Opens a folder. Images are scaled to cover the size and cut around the middle.
  ///
  /// - Parameters:
  ///   - path: the folder.
  ///   - width: pixels in a row of the images that come out.
  ///   - height: rows of them.
  ///   - background: lies behind transparent pixels.
  ///   - memoryLimit: if the images that come out take no more bytes, all are read at once;
  ///     otherwise each is read whenever it is asked for.
  /// - Throws: `FileError`, `ImageFileError` or `CaptionedDataError`, which name file and row.
  public init(
    path: String, width: Int, height: Int, background: Color = .white,
    memoryLimit: Int = 1 << 30
  ) throws {
    precondition(width > 0 && height > 0, "images of \(width)x\(height)")
    self.width = width
    self.height = height
    self.background = background
    let entries = try CaptionedFile.list(inFolder: path, of: .image)
    self.entries = entries
    let isSmall = entries.count <= memoryLimit / (3 * width * height)
    images =
      isSmall
      ? try entries.map { try $0.image(width: width, height: height, background: background) } : nil
  }

  /// The pairs of the given numbers, which are those of rows, or of files by name.
  ///
  /// - Throws: `ImageFileError` if an image cannot be read.
  public func batch(at indices: [Int]) throws -> CaptionedMedia {
    let chosen = try indices.map { index in
      precondition(entries.indices.contains(index), "pair \(index) of \(entries.count)")
      return try images?[index]
        ?? entries[index].image(width: width, height: height, background: background)
    }
    return CaptionedMedia(
      images: SampleTable.batch(chosen, width: width, height: height),
      captions: indices.map { entries[$0].caption })
  }

  /// The captions of the pairs of the given numbers.
  public func captions(at indices: [Int]) -> [String] { indices.map { entries[$0].caption } }
}
