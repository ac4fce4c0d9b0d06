import Foundation

/// Where the parts of a zarr hierarchy lie: files in a folder, or members of a zip archive.
enum ZarrStore: Sendable {
  case folder(String)
  /// Members by their name below the outermost group.
  case archive(ZipArchive, [String: ZipArchive.Member])

  private static let maxDepth = 8
  /// What describes a node, in versions 2 and 3.
  static let arrayKey = ".zarray", groupKey = ".zgroup", nodeKey = "zarr.json"

  /// Whether a folder or a zip archive is likely one.
  static func isLikely(folder: String) -> Bool {
    [groupKey, nodeKey, arrayKey].contains {
      FileManager.default.fileExists(atPath: "\(folder)/\($0)")
    }
  }

  static func isLikely(_ archive: ZipArchive) -> Bool { prefix(of: archive) != nil }

  init(path: String) throws(FileError) {
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
      self = .folder(path)
      return
    }
    let archive = try ZipArchive(path: path)
    guard let prefix = ZarrStore.prefix(of: archive) else {
      throw FileError(
        .unsupported, path: path, problem: "is a zip archive without zarr's .zgroup or zarr.json",
        advice: "name a zarr folder, or a zip archive of one")
    }
    var members: [String: ZipArchive.Member] = [:]
    for member in archive.members where member.name.hasPrefix(prefix) {
      members[String(member.name.dropFirst(prefix.count))] = member
    }
    self = .archive(archive, members)
  }

  /// What stands before the names of the outermost group: nothing, or the folder that was packed; nil
  /// if there is no group.
  private static func prefix(of archive: ZipArchive) -> String? {
    archive.members.lazy.map(\.name)
      .compactMap { name in
        [groupKey, nodeKey].first { name == $0 || name.hasSuffix("/\($0)") }
          .map { String(name.dropLast($0.count)) }
      }
      .min { ($0.count, $0) < ($1.count, $1) }
  }

  /// The contents of a part; nil if there is none.
  func contents(of key: String, path: String) throws(FileError) -> Bytes? {
    switch self {
    case .folder(let folder):
      let path = "\(folder)/\(key)"
      guard FileManager.default.fileExists(atPath: path) else { return nil }
      return try MappedFile.bytes(path: path)
    case .archive(let archive, let members):
      guard let member = members[key] else { return nil }
      return try archive.contents(of: member)
    }
  }

  /// The names of arrays and groups, with slashes between, and what describes each.
  func nodes() throws(FileError) -> [(name: String, key: String)] {
    switch self {
    case .archive(_, let members):
      return members.keys.sorted().compactMap { key in
        let parts = key.split(separator: "/", omittingEmptySubsequences: false)
        guard let last = parts.last, last == Self.arrayKey || last == Self.nodeKey else {
          return nil
        }
        return (parts.dropLast().joined(separator: "/"), key)
      }
    case .folder(let folder):
      var nodes: [(name: String, key: String)] = []
      try ZarrStore.collect(folder, name: "", depth: 0, into: &nodes)
      return nodes
    }
  }

  private static func collect(
    _ folder: String, name: String, depth: Int, into nodes: inout [(name: String, key: String)]
  ) throws(FileError) {
    let here = name.isEmpty ? folder : "\(folder)/\(name)"
    let prefix = name.isEmpty ? "" : "\(name)/"
    for key in [arrayKey, nodeKey]
    where FileManager.default.fileExists(atPath: "\(here)/\(key)") {
      nodes.append((name, prefix + key))
      // Below an array of version 2 there are only its chunks.
      if key == arrayKey { return }
    }
    guard depth < maxDepth else { return }
    for child in try names(in: here) {
      let path = "\(here)/\(child)"
      guard
        [arrayKey, groupKey, nodeKey].contains(where: {
          FileManager.default.fileExists(atPath: "\(path)/\($0)")
        })
      else { continue }
      try collect(folder, name: prefix + child, depth: depth + 1, into: &nodes)
    }
  }

  private static func names(in folder: String) throws(FileError) -> [String] {
    do {
      return try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    } catch {
      throw FileError(
        .system, path: folder, problem: "cannot be listed", advice: "check its permissions")
    }
  }

  /// The bytes that all parts below a name take.
  func byteCount(below name: String) -> Int {
    switch self {
    case .archive(_, let members):
      let prefix = name.isEmpty ? "" : "\(name)/"
      return members.reduce(0) { $1.key.hasPrefix(prefix) ? $0 + $1.value.range.count : $0 }
    case .folder(let folder):
      let root = name.isEmpty ? folder : "\(folder)/\(name)"
      var total = 0
      // What cannot be listed counts for nothing, and is then an error where it is read.
      for child in FileManager.default.subpaths(atPath: root) ?? [] {
        var status = stat()
        guard stat("\(root)/\(child)", &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
          continue
        }
        total &+= Int(status.st_size)
      }
      return total
    }
  }
}
