import Files
import Foundation

/// What `meta/info.json` states.
struct LeRobotInfo: Sendable {
  /// How files are laid out.
  enum Layout: Sendable {
    /// A file an episode: v2.0 and v2.1.
    case second
    /// Many episodes a file: v3.
    case third
  }

  static let relativePath = "meta/info.json"

  let version: String
  let layout: Layout
  let framesPerSecond: Double
  let robotType: String?
  let features: [LeRobotFeature]
  /// Files a folder, in v2.
  let chunkSize: Int
  let dataPath: PathTemplate
  let videoPath: PathTemplate?
  /// As far as they are stated.
  let episodeCount: Int?, frameCount: Int?

  init(folder: String) throws(FileError) {
    let path = "\(folder)/\(LeRobotInfo.relativePath)"
    try RequiredFolder.check(
      folder, what: "the folder of a LeRobot data set", marker: LeRobotInfo.relativePath,
      advice: "name the folder that holds meta, data and videos")
    guard FileManager.default.fileExists(atPath: path) else {
      throw FileError(
        .missing, path: folder, problem: "has no \(LeRobotInfo.relativePath)",
        advice:
          "name the folder of a LeRobot data set; one that was not written to its end may lack "
          + "it")
    }
    let json = JSONMember(try JSONValue(path: path), path: path)
    version = try json.member("codebase_version").string()
    layout = try LeRobotInfo.layout(of: version, path: path)
    framesPerSecond = try json.member("fps").number()
    guard framesPerSecond > 0, framesPerSecond.isFinite else {
      throw try json.member("fps").error("a number above 0")
    }
    robotType = try json.optionalMember("robot_type")?.string()
    features = try json.member("features").members().map { entry throws(FileError) in
      try LeRobotFeature(name: entry.name, entry.member)
    }
    chunkSize = max(1, try json.optionalMember("chunks_size")?.count() ?? 1_000)
    dataPath = try PathTemplate(json.member("data_path"))
    videoPath = try json.optionalMember("video_path").map { member throws(FileError) in
      try PathTemplate(member)
    }
    episodeCount = try json.optionalMember("total_episodes")?.count()
    frameCount = try json.optionalMember("total_frames")?.count()
  }

  private static func layout(of version: String, path: String) throws(FileError) -> Layout {
    if version == "v2.0" || version == "v2.1" { return .second }
    if version.hasPrefix("v3.") { return .third }
    throw FileError(
      .unsupported, path: path, item: "codebase_version",
      problem: "is '\(version)', and Attune reads v2.0, v2.1 and v3",
      advice: "convert it with the scripts of LeRobot that lead to v2.1 or v3.0")
  }
}

/// A path inside a data set with places for numbers and names, as Python's `str.format` fills them:
/// `data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet`.
struct PathTemplate: Sendable {
  private enum Part: Sendable {
    case text(String)
    /// Filled up with zeros to `width` digits.
    case place(name: String, width: Int)
  }

  private let parts: [Part]
  private let source: FileError

  private static let maxWidth = 20

  init(_ json: JSONMember) throws(FileError) {
    var parts: [Part] = []
    var rest = Substring(try json.string())
    while let open = rest.firstIndex(of: "{") {
      guard let close = rest[open...].firstIndex(of: "}") else {
        throw json.error("a path with places such as {episode_index:06d}")
      }
      parts.append(.text(String(rest[..<open])))
      let inside = rest[rest.index(after: open)..<close].split(
        separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      var width = 0
      if inside.count == 2 {
        let format = inside[1].hasSuffix("d") ? inside[1].dropLast() : inside[1]
        guard let number = Int(format), (0...PathTemplate.maxWidth).contains(number) else {
          throw json.error("a path with places such as {episode_index:06d}")
        }
        width = number
      }
      parts.append(.place(name: String(inside[0]), width: width))
      rest = rest[rest.index(after: close)...]
    }
    parts.append(.text(String(rest)))
    self.parts = parts
    source = json.error("a path inside the data set")
  }

  /// The path with numbers and names filled in.
  ///
  /// - Throws: `FileError` if a place has another name, or the path leads out of the data set.
  func path(numbers: [String: Int], names: [String: String] = [:]) throws(FileError) -> String {
    var path = ""
    for part in parts {
      switch part {
      case .text(let text): path += text
      case .place(let name, let width):
        if let number = numbers[name] {
          let digits = String(number)
          path += String(repeating: "0", count: max(0, width - digits.count)) + digits
        } else if let text = names[name] {
          path += text
        } else {
          throw source
        }
      }
    }
    guard !path.hasPrefix("/"), !path.split(separator: "/").contains("..") else { throw source }
    return path
  }
}
