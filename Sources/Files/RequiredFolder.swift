import Foundation

/// A path where a folder with certain files is wanted.
public enum RequiredFolder {
  /// Tells a file, or nothing, from a folder, before a file in it is missed.
  ///
  /// - Parameters:
  ///   - path: what was named.
  ///   - what: the folder in words, as in "a model folder".
  ///   - marker: a file that every such folder has, as in `config.json`.
  ///   - advice: what to name instead of a file that does not lie in such a folder.
  /// - Throws: `FileError` if there is no folder.
  public static func check(
    _ path: String, what: String, marker: String, advice: String
  ) throws(FileError) {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw FileError(.missing, path: path, problem: "does not exist", advice: "name \(what)")
    }
    guard !isFolder.boolValue else { return }
    let outer = URL(filePath: path).deletingLastPathComponent().appending(path: marker)
    throw FileError(
      .unsupported, path: path, problem: "is a file, where \(what) is wanted",
      advice: FileManager.default.fileExists(atPath: outer.path(percentEncoded: false))
        ? "name the folder that it is in" : advice)
  }
}
