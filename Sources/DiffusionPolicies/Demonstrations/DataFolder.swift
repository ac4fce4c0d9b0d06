import Files
import Foundation

/// Which data set a folder is, by the files that only this kind has.
enum DataFolder {
  private static let leRobot = "meta/info.json"
  /// How far below a folder data sets are looked for, for errors alone: as deep as in the cache of
  /// the Hugging Face hub.
  private static let maxDepth = 3
  private static let maxShownCount = 4

  /// Whether something is a folder.
  static func isFolder(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
      && isFolder.boolValue
  }

  /// The layout of a folder.
  ///
  /// - Throws: `FileError` that names the folder to give instead, where it is known.
  static func format(of folder: String) throws -> DemonstrationFormat {
    if let format = knownFormat(of: folder) { return format }
    throw FileError(
      .unsupported, path: folder, problem: "is a folder of no known data set",
      advice: advice(for: folder))
  }

  private static func knownFormat(of folder: String) -> DemonstrationFormat? {
    if has(leRobot, in: folder) { return .lerobot }
    let isInner = URL(filePath: folder).lastPathComponent == "data"
    if has("data/\(MinariMetadata.fileName)", in: folder)
      || has(MinariMetadata.dataName, in: folder)
      || isInner && has(MinariMetadata.fileName, in: folder)
    {
      return .minari
    }
    return ZarrFile.isLikely(folder: folder) ? .zarr : nil
  }

  private static func has(_ name: String, in folder: String) -> Bool {
    FileManager.default.fileExists(atPath: "\(folder)/\(name)")
  }

  private static func advice(for folder: String) -> String {
    // A part of a data set, such as its data or one of its chunks.
    var outer = URL(filePath: folder).standardizedFileURL
    for _ in 0..<maxDepth {
      outer = outer.deletingLastPathComponent()
      let whole = outer.path(percentEncoded: false)
      let path = whole.count > 1 && whole.hasSuffix("/") ? String(whole.dropLast()) : whole
      if knownFormat(of: path) != nil { return "name the data set that it is in: \(path)" }
    }
    let inner = found(in: folder, depth: 0)
    guard inner.isEmpty else {
      let shown = inner.prefix(maxShownCount).joined(separator: ", ")
      return "name a data set in it: \(shown)\(inner.count > maxShownCount ? ", ..." : "")"
    }
    return "expected LeRobot's meta/info.json in it, which a recording that was not finished and a "
      + "partly fetched data set may lack, Minari's data/metadata.json, or zarr's .zgroup or zarr.json"
  }

  private static func found(in folder: String, depth: Int) -> [String] {
    guard depth < maxDepth else { return [] }
    // What cannot be listed holds nothing to advise.
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.sorted().flatMap { name -> [String] in
      let path = "\(folder)/\(name)"
      guard isFolder(path) else { return [] }
      return knownFormat(of: path) == nil ? found(in: path, depth: depth + 1) : [path]
    }
  }
}
