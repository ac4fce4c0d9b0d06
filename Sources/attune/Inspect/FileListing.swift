import Files
import Foundation
import Runs

/// The files that an argument of `inspect` stands for: itself, or what is in the folder.
struct FileListing {
  /// Files with tensors, sorted.
  let tensorFiles: [String]
  /// What a folder holds; nil for a file.
  let line: String?

  private static let maxDepth = 8
  private static let maxOtherCount = 20

  init(path: String) throws(FileError) {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue
    else {
      tensorFiles = [path]
      line = nil
      return
    }
    let root = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    var files: [String] = []
    try FileListing.collect(root, depth: 0, into: &files)
    files.sort()
    let (tensorFiles, others) = FileListing.separated(files)
    self.tensorFiles = tensorFiles
    line = FileListing.line(root, tensorFileCount: tensorFiles.count, others: others)
  }

  private static func separated(_ files: [String]) -> (tensorFiles: [String], others: [String]) {
    func isTensorFile(_ file: String) -> Bool {
      FileKind.usualSuffixes.contains { file.lowercased().hasSuffix($0) }
    }
    return (files.filter(isTensorFile), files.filter { !isTensorFile($0) })
  }

  /// Folders behind links are left out, as they may lead back.
  private static func collect(
    _ folder: String, depth: Int, into files: inout [String]
  ) throws(FileError) {
    guard depth < maxDepth else { return }
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: folder)
    } catch {
      throw FileError(
        .system, path: folder, problem: "cannot be listed", advice: "check its permissions")
    }
    for name in names where !name.hasPrefix(".") {
      let path = folder == "/" ? "/\(name)" : "\(folder)/\(name)"
      let type =
        try? FileManager.default.attributesOfItem(atPath: path)[.type] as? FileAttributeType
      if type == .typeDirectory {
        try collect(path, depth: depth + 1, into: &files)
      } else if type == .typeRegular || type == .typeSymbolicLink {
        files.append(path)
      }
    }
  }

  private static func line(_ root: String, tensorFileCount: Int, others: [String]) -> String {
    var line = "\(root.printable): folder, \(tensorFileCount.counting("tensor file"))"
    guard !others.isEmpty else { return line }
    let shown = others.prefix(maxOtherCount).map { path in
      let name = String(path.dropFirst(root.count)).drop { $0 == "/" }
      return "\(String(name).printable) (\(byteCount(path).counting("byte")))"
    }
    line += "; also \(shown.joined(separator: ", "))"
    if others.count > shown.count { line += " and \(others.count - shown.count) more" }
    return line
  }

  private static func byteCount(_ path: String) -> Int {
    // Follows links, unlike attributesOfItem.
    var status = stat()
    return stat(path, &status) == 0 ? Int(status.st_size) : 0
  }
}
