import Files
import Foundation
import Media

/// A picture in a folder and its caption.
struct CaptionedFile: Sendable {
  let path: String
  let caption: String

  /// Reads the picture at a size.
  func image(width: Int, height: Int, background: Color) throws -> Image {
    try Image(contentsOfFile: path).fitted(width: width, height: height, background: background)
  }

  /// The pictures of a folder by the first list of captions that it has.
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
      file: folder, problem: "has no captioned pictures",
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
