import Files
import Foundation

/// What of a data set's lists is really in its folder.
struct LeRobotContents {
  /// Those whose tables are there.
  private(set) var episodes: [LeRobotEpisode] = []
  private(set) var notes: [String] = []

  private let info: LeRobotInfo

  init(folder: String, info: LeRobotInfo, listed: [LeRobotEpisode]) {
    self.info = info
    var isThere: [String: Bool] = [:]
    func has(_ path: String) -> Bool {
      if let known = isThere[path] { return known }
      let found = FileManager.default.fileExists(atPath: "\(folder)/\(path)")
      isThere[path] = found
      return found
    }
    episodes = listed.filter { has($0.dataPath) }
    if info.layout == .third, info.version != "v3.0" {
      notes.append("version \(info.version) is newer than v3.0 and read as if it were v3.0")
    }
    for feature in info.features {
      if case .unreadable(let what) = feature.kind {
        notes.append("'\(feature.name)' is not read: it has \(what)")
      }
    }
    addCounts(listed)
    for feature in info.features where feature.kind == .video {
      let without = episodes.filter { episode in
        episode.videos[feature.name].map { !has($0.path) } ?? true
      }
      guard !without.isEmpty else { continue }
      notes.append(
        "'\(feature.name)' has no video in \(LeRobotContents.list(without.map(\.index)))")
    }
  }

  private mutating func addCounts(_ listed: [LeRobotEpisode]) {
    let kept = Set(episodes.map(\.index))
    let missing = listed.map(\.index).filter { !kept.contains($0) }
    if !missing.isEmpty {
      notes.append(
        "left out, because their tables are missing: \(LeRobotContents.list(missing))")
    }
    if let stated = info.episodeCount, stated != listed.count {
      notes.append("meta/info.json states \(stated) episodes, the list has \(listed.count)")
    }
    let frameCount = listed.reduce(0) { $0 &+ $1.length }
    if let stated = info.frameCount, stated != frameCount {
      notes.append("meta/info.json states \(stated) frames, the list has \(frameCount)")
    }
  }

  /// As in "episodes 3, 4 and 7 others".
  private static func list(_ indices: [Int]) -> String {
    let shown = indices.prefix(8).map(String.init).joined(separator: ", ")
    let rest = indices.count - 8
    return "episode\(indices.count == 1 ? "" : "s") \(shown)"
      + (rest > 0 ? " and \(rest) others" : "")
  }

  /// Features without a column in the first table, which is like the others.
  func columnNotes(_ tables: LeRobotTables) throws(FileError) -> [String] {
    guard let first = episodes.first else { return [] }
    var notes: [String] = []
    for feature in info.features {
      let column: String
      switch feature.kind {
      case .numbers, .text: column = feature.name
      case .image: column = "\(feature.name).bytes"
      case .video, .unreadable: continue
      }
      if try !tables.hasColumn(column, in: first) {
        notes.append("'\(feature.name)' is in meta/info.json and not in the tables")
      }
    }
    return notes
  }
}
