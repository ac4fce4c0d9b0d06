import Files
import Foundation
import Media
import Tensors

/// A folder of PNG images with captions in `metadata.jsonl`, in `captions.tsv`, or in a text file
/// beside each image; the first of these that is there counts.
///
/// `metadata.jsonl` is that of Hugging Face's image folders, an object with `file_name` and `text`
/// in each line. `captions.tsv` has the columns `file` and `caption`.
public struct ImageFolderSource: CaptionedImageSource {
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
    let entries = try CaptionedFile.list(inFolder: path)
    self.entries = entries
    let isSmall = entries.count <= memoryLimit / (3 * width * height)
    images =
      isSmall
      ? try entries.map { try $0.image(width: width, height: height, background: background) } : nil
  }

  /// The pairs of the given numbers, which are those of rows, or of files by name.
  ///
  /// - Throws: `ImageFileError` if an image cannot be read.
  public func batch(at indices: [Int]) throws -> CaptionedImages {
    let chosen = try indices.map { index in
      precondition(entries.indices.contains(index), "pair \(index) of \(entries.count)")
      return try images?[index]
        ?? entries[index].image(width: width, height: height, background: background)
    }
    return CaptionedImages(
      images: SampleTable.batch(chosen, width: width, height: height),
      captions: indices.map { entries[$0].caption })
  }

  /// The captions of the pairs of the given numbers.
  public func captions(at indices: [Int]) -> [String] { indices.map { entries[$0].caption } }
}

/// An image in a folder and its caption.
struct CaptionedFile: Sendable {
  let path: String
  let caption: String

  /// Reads the image at a size.
  func image(width: Int, height: Int, background: Color) throws -> Image {
    try Image(contentsOfFile: path).fitted(width: width, height: height, background: background)
  }

  /// The images of a folder by the first list of captions that it has.
  static func list(inFolder folder: String) throws -> [CaptionedFile] {
    let metadata = folder + "/metadata.jsonl"
    let table = folder + "/captions.tsv"
    let files =
      if FileManager.default.fileExists(atPath: metadata) {
        try inMetadata(metadata, folder: folder)
      } else if FileManager.default.fileExists(atPath: table) {
        try inTable(table, folder: folder)
      } else {
        try besideText(folder)
      }
    if !files.isEmpty { return files }
    throw CaptionedDataError(
      file: folder, problem: "has no captioned images",
      advice: "expected PNG files with metadata.jsonl, captions.tsv or a .txt file for each")
  }

  private static func inMetadata(_ path: String, folder: String) throws -> [CaptionedFile] {
    let lines = try TextFile.lines(path: path)
    var files: [CaptionedFile] = []
    for (index, line) in lines.enumerated() where !line.allSatisfy(\.isWhitespace) {
      let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
      guard let object else {
        throw CaptionedDataError(
          file: path, row: index + 1, problem: "is not a JSON object",
          advice: #"expected {"file_name": "...", "text": "..."} in one line"#)
      }
      guard let name = object["file_name"] as? String, let caption = object["text"] as? String
      else {
        throw CaptionedDataError(
          file: path, row: index + 1,
          problem: "has no texts file_name and text, only "
            + object.keys.sorted().joined(separator: ", "))
      }
      files.append(
        try existing(name, caption: caption, folder: folder, listedIn: path, row: index + 1))
    }
    return files
  }

  private static func inTable(_ path: String, folder: String) throws -> [CaptionedFile] {
    try TabSeparatedFile(path: path).values(ofColumns: ["file", "caption"]).map { row in
      try existing(
        row.values[0], caption: row.values[1], folder: folder, listedIn: path, row: row.line)
    }
  }

  private static func existing(
    _ name: String, caption: String, folder: String, listedIn list: String, row: Int
  ) throws(CaptionedDataError) -> CaptionedFile {
    let path = folder + "/" + name
    guard FileManager.default.fileExists(atPath: path) else {
      throw CaptionedDataError(
        file: list, row: row, problem: "there is no file \(path)",
        advice: "names are relative to the folder of this list")
    }
    return CaptionedFile(path: path, caption: caption)
  }

  private static func besideText(_ folder: String) throws -> [CaptionedFile] {
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    } catch {
      throw CaptionedDataError(
        file: folder, problem: "cannot be listed", advice: "name a folder of PNG files")
    }
    return try names.filter { $0.lowercased().hasSuffix(".png") }.map { name in
      let text = folder + "/" + name.dropLast(4) + ".txt"
      guard FileManager.default.fileExists(atPath: text) else {
        throw CaptionedDataError(
          file: folder + "/" + name, problem: "has no caption",
          advice: "write it to \(text), or list all captions in captions.tsv or metadata.jsonl")
      }
      let caption = try TextFile.read(path: text).trimmingCharacters(in: .whitespacesAndNewlines)
      return CaptionedFile(path: folder + "/" + name, caption: caption)
    }
  }
}

/// A text file of rows whose values are parted by tabs; nothing is quoted.
struct TabSeparatedFile {
  struct Row {
    /// The line in the file, from 1.
    let line: Int
    let values: [String]
  }

  let path: String
  /// Every line that is not empty, the header included.
  let rows: [Row]

  init(path: String) throws {
    self.path = path
    rows = try TextFile.lines(path: path).enumerated().compactMap { index, line in
      line.isEmpty
        ? nil
        : Row(
          line: index + 1,
          values: line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init))
    }
  }

  /// The rows below the header, with their values in the order of `columns`.
  ///
  /// - Throws: `CaptionedDataError` if a column is missing or a row has another number of values.
  func values(ofColumns columns: [String]) throws(CaptionedDataError) -> [Row] {
    let header = rows.first?.values ?? []
    var places: [Int] = []
    for column in columns {
      guard let place = header.firstIndex(of: column) else {
        throw CaptionedDataError(
          file: path, row: rows.first?.line,
          problem: "the header has no column '\(column)', only "
            + (header.isEmpty ? "nothing" : header.joined(separator: ", ")),
          advice: "expected the columns \(columns.joined(separator: ", ")), parted by tabs")
      }
      places.append(place)
    }
    var result: [Row] = []
    for row in rows.dropFirst() {
      guard row.values.count == header.count else {
        throw CaptionedDataError(
          file: path, row: row.line,
          problem: "has \(row.values.count) values, expected \(header.count) parted by tabs")
      }
      result.append(Row(line: row.line, values: places.map { row.values[$0] }))
    }
    return result
  }
}
