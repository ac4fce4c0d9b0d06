import Files
import Foundation

extension LeRobotDataset {
  /// Whether a folder has what describes a data set.
  public static func isLikely(_ folder: String) -> Bool {
    FileManager.default.fileExists(atPath: "\(folder)/\(LeRobotInfo.relativePath)")
  }

  /// What is in the data set: its features as tensors of all frames, and in words its version,
  /// episodes, tasks, cameras and the statistics that it states. No frames are read.
  ///
  /// - Throws: `FileError` if the file of statistics is damaged.
  public func summary() throws(FileError) -> FileSummary {
    var items = [
      FileSummary.Item(name: "version", value: version),
      FileSummary.Item(name: "frames a second", value: LeRobotDataset.short(framesPerSecond)),
      FileSummary.Item(name: "episodes", value: episodeText),
    ]
    if let robotType { items.append(FileSummary.Item(name: "robot", value: robotType)) }
    for (number, text) in tasks.sorted(by: { $0.key < $1.key }) {
      items.append(FileSummary.Item(name: "task \(number)", value: text))
    }
    for feature in features where !feature.componentNames.isEmpty && !feature.isImage {
      items.append(
        FileSummary.Item(
          name: "\(feature.name)@names", value: feature.componentNames.joined(separator: ", ")))
    }
    items += try statisticItems()
    items += notes.map { FileSummary.Item(name: "note", value: $0) }
    return FileSummary(path: folder, kind: "lerobot", tensors: features.map(entry), items: items)
  }

  private var episodeText: String {
    let lengths = episodes.map(\.length)
    guard let shortest = lengths.min(), let longest = lengths.max() else { return "none" }
    return "\(lengths.count) of \(shortest == longest ? "" : "\(shortest) to ")\(longest) frames, "
      + "\(frameCount) frames in all"
  }

  private func entry(_ feature: LeRobotFeature) -> FileSummary.Entry {
    let shape = [frameCount] + feature.shape
    return switch feature.kind {
    case .numbers(let type):
      FileSummary.Entry(name: feature.name, elementType: type, shape: shape)
    case .text: FileSummary.Entry(name: feature.name, type: "text", shape: shape)
    case .image: FileSummary.Entry(name: feature.name, type: "image", shape: shape)
    case .video: FileSummary.Entry(name: feature.name, type: "video", shape: shape)
    case .unreadable(let what):
      FileSummary.Entry(name: feature.name, type: "not read: \(what)", shape: shape)
    }
  }

  private func statisticItems() throws(FileError) -> [FileSummary.Item] {
    let statistics = try LeRobotStatistics.stated(in: folder)
    guard !statistics.isEmpty else {
      return [FileSummary.Item(name: "statistics", value: "none in meta")]
    }
    return features.compactMap { feature in
      guard !feature.isImage, let stated = statistics[feature.name] else { return nil }
      let words = ["min", "max", "mean", "std"].compactMap { name in
        stated.values[name].map { numbers in
          "\(name) [\(numbers.map(LeRobotDataset.short).joined(separator: ", "))]"
        }
      }
      return FileSummary.Item(
        name: "\(feature.name)@statistics", value: words.joined(separator: ", "))
    }
  }

  /// A number with four digits at most, as people read it.
  private static func short(_ number: Double) -> String {
    String(format: abs(number) >= 1e4 ? "%.6g" : "%.4g", number)
  }
}

extension LeRobotStatistics {
  /// What `meta` states of each feature, over all episodes; empty where it states nothing.
  ///
  /// - Throws: `FileError` if the file is damaged.
  static func stated(in folder: String) throws(FileError) -> [String: LeRobotStatistics] {
    let whole = "\(folder)/meta/stats.json"
    if FileManager.default.fileExists(atPath: whole) {
      return try features(JSONMember(try JSONValue(path: whole), path: whole))
    }
    let lines = "\(folder)/meta/episodes_stats.jsonl"
    guard FileManager.default.fileExists(atPath: lines) else { return [:] }
    var result: [String: LeRobotStatistics] = [:]
    for (index, line) in try JSONValue.lines(path: lines).enumerated() {
      let json = JSONMember(line, path: lines, place: "\(index)")
      for (name, other) in try features(json.member("stats")) {
        if result[name] == nil { result[name] = other } else { result[name]?.merge(other) }
      }
    }
    return result
  }

  private static func features(
    _ json: JSONMember
  ) throws(FileError) -> [String: LeRobotStatistics] {
    var result: [String: LeRobotStatistics] = [:]
    for (name, member) in try json.members() {
      result[name] = LeRobotStatistics(member)
    }
    return result
  }

  /// Nil where there are none for each component: a data set is read without them, too.
  private init?(_ json: JSONMember) {
    guard case .object(let members) = json.value else { return nil }
    var values: [String: [Double]] = [:]
    for (name, numbers) in members { values[name] = Self.flat(numbers) }
    // Version 2.0 does not count.
    let count = values.removeValue(forKey: "count")?.first.flatMap { Int(exactly: $0) } ?? 1
    guard count > 0, let size = values["mean"]?.count,
      values.values.allSatisfy({ $0.count == size })
    else { return nil }
    self.init(count: count, values: values)
  }

  private static func flat(_ json: JSONValue) -> [Double] {
    switch json {
    case .number(let number): [number]
    case .boolean(let boolean): [boolean ? 1 : 0]
    case .array(let values): values.flatMap(flat)
    case .null, .string, .object: []
    }
  }
}
