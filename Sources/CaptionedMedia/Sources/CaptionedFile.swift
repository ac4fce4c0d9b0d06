import Files
import Foundation
import Media

/// An image, or a clip, in a folder and its caption.
struct CaptionedFile: Sendable {
  /// What is captioned, and the endings of its files.
  enum Kind {
    case image, clip

    /// In lower case.
    var endings: [String] {
      switch self {
      case .image: [".png"]
      case .clip: [".mp4", ".gif", ".apng", ".webm", ".mkv", ".avi", ".mov"]
      }
    }

    /// As in errors.
    var files: String {
      switch self {
      case .image: "PNG files"
      case .clip: "videos, GIFs or folders of PNG frames"
      }
    }
  }

  let path: String
  let caption: String

  /// Reads the image at a size.
  func image(width: Int, height: Int, background: Color) throws -> Image {
    try Image(contentsOfFile: path).fitted(width: width, height: height, background: background)
  }

  /// The images or clips of a folder by the first list of captions that it has.
  static func list(inFolder folder: String, of kind: Kind) throws -> [CaptionedFile] {
    let metadata = folder + "/metadata.jsonl"
    let values = folder + "/metadata.csv"
    let table = folder + "/captions.tsv"
    let files =
      if FileManager.default.fileExists(atPath: metadata) {
        try inMetadata(metadata, folder: folder)
      } else if FileManager.default.fileExists(atPath: values) {
        try inValues(values, folder: folder)
      } else if FileManager.default.fileExists(atPath: table) {
        try inTable(table, folder: folder)
      } else {
        try besideText(folder, kind)
      }
    if !files.isEmpty { return files }
    throw CaptionedDataError(
      file: folder, problem: "has no captioned \(kind == .image ? "images" : "clips")",
      advice:
        "expected \(kind.files) with metadata.jsonl, metadata.csv, captions.tsv or a .txt file "
        + "for each")
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

  private static func inValues(_ path: String, folder: String) throws -> [CaptionedFile] {
    try CommaSeparatedFile(path: path).values(ofColumns: ["file_name", "text"]).map { row in
      try existing(
        row.values[0], caption: row.values[1], folder: folder, listedIn: path, row: row.line)
    }
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

  private static func besideText(_ folder: String, _ kind: Kind) throws -> [CaptionedFile] {
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    } catch {
      throw CaptionedDataError(
        file: folder, problem: "cannot be listed", advice: "name a folder of \(kind.files)")
    }
    return try names.compactMap { name -> CaptionedFile? in
      let path = folder + "/" + name
      let ending = kind.endings.first(where: name.lowercased().hasSuffix)
      var isFolder: ObjCBool = false
      let isFolderOfFrames =
        kind == .clip && FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
        && isFolder.boolValue
      guard ending != nil || isFolderOfFrames else { return nil }
      let text = folder + "/" + name.dropLast(ending?.count ?? 0) + ".txt"
      guard FileManager.default.fileExists(atPath: text) else {
        throw CaptionedDataError(
          file: path, problem: "has no caption",
          advice: "write it to \(text), or list all captions in captions.tsv or metadata.jsonl")
      }
      let caption = try TextFile.read(path: text).trimmingCharacters(in: .whitespacesAndNewlines)
      return CaptionedFile(path: path, caption: caption)
    }
  }
}
