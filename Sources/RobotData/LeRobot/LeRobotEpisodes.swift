import Files
import Foundation

/// Reads the lists of episodes and tasks, in either layout.
struct LeRobotEpisodes {
  private(set) var episodes: [LeRobotEpisode] = []
  /// Texts by number.
  private(set) var tasks: [Int: String] = [:]

  private let folder: String
  private let info: LeRobotInfo

  /// Sums of lengths must not overflow.
  private static let maxLength = 1 << 31

  private var videoNames: [String] { info.features.filter { $0.kind == .video }.map(\.name) }

  init(folder: String, info: LeRobotInfo) throws(FileError) {
    self.folder = folder
    self.info = info
    switch info.layout {
    case .second:
      try readTaskLines()
      try readEpisodeLines()
    case .third:
      try readTaskTable()
      try readEpisodeTables()
    }
    episodes.sort { $0.index < $1.index }
    for episode in episodes where episode.length > LeRobotEpisodes.maxLength {
      throw FileError(
        .tooLarge, path: "\(folder)/meta", item: "episode \(episode.index)",
        problem: "has \(episode.length) frames", advice: "write the data set again")
    }
    for (one, next) in zip(episodes, episodes.dropFirst()) where one.index == next.index {
      throw FileError(
        .malformed, path: "\(folder)/meta", item: "episodes",
        problem: "have number \(one.index) twice", advice: "write the data set again")
    }
  }

  // v2: JSON Lines, and a file an episode.

  private mutating func readTaskLines() throws(FileError) {
    let path = "\(folder)/meta/tasks.jsonl"
    guard FileManager.default.fileExists(atPath: path) else { return }
    for (index, line) in try JSONValue.lines(path: path).enumerated() {
      let json = JSONMember(line, path: path, place: "\(index)")
      tasks[try json.member("task_index").count()] = try json.member("task").string()
    }
  }

  private mutating func readEpisodeLines() throws(FileError) {
    let path = "\(folder)/meta/episodes.jsonl"
    for (number, line) in try JSONValue.lines(path: path).enumerated() {
      let json = JSONMember(line, path: path, place: "\(number)")
      let index = try json.member("episode_index").count()
      let numbers = ["episode_index": index, "episode_chunk": index / info.chunkSize]
      var videos: [String: LeRobotEpisode.Video] = [:]
      if let template = info.videoPath {
        for name in videoNames {
          videos[name] = LeRobotEpisode.Video(
            path: try template.path(numbers: numbers, names: ["video_key": name]), start: 0)
        }
      }
      let texts = try json.optionalMember("tasks")?.array() ?? []
      episodes.append(
        LeRobotEpisode(
          index: index, length: try json.member("length").count(),
          tasks: try texts.map { text throws(FileError) in try text.string() },
          dataPath: try info.dataPath.path(numbers: numbers), videos: videos))
    }
  }

  // v3: tables, and files of many episodes.

  private mutating func readTaskTable() throws(FileError) {
    let path = "\(folder)/meta/tasks.parquet"
    guard FileManager.default.fileExists(atPath: path) else { return }
    let table = try ParquetFile(path: path)
    // The text is the index of a pandas table, whose name depends on LeRobot's version.
    guard let text = table.columns.first(where: { $0.storage == .bytes && $0.listDepth == 0 })
    else {
      throw FileError(
        .missing, path: path, problem: "has no column of texts",
        advice: "write it as LeRobot does, the task's text as the index")
    }
    let texts = try table.values(of: text.name)
    let numbers = try table.optionalIntegers("task_index", required: true)
    for row in 0..<table.rowCount {
      guard let number = numbers[row], let text = texts.texts(row: row).first else { continue }
      tasks[number] = text
    }
  }

  private mutating func readEpisodeTables() throws(FileError) {
    let root = "\(folder)/meta/episodes"
    for chunk in try FolderNames.sorted(root) {
      for name in try FolderNames.sorted("\(root)/\(chunk)") where name.hasSuffix(".parquet") {
        try readEpisodeTable("\(root)/\(chunk)/\(name)")
      }
    }
  }

  private mutating func readEpisodeTable(_ path: String) throws(FileError) {
    let table = try ParquetFile(path: path)
    let indices = try table.integers("episode_index")
    let lengths = try table.integers("length")
    let chunks = try table.integers("data/chunk_index")
    let files = try table.integers("data/file_index")
    let texts = table.column(named: "tasks") == nil ? nil : try table.values(of: "tasks")
    let videos = try videoNames.map { name throws(FileError) in
      (name: name, columns: try VideoColumns(table, name: name))
    }
    for row in 0..<table.rowCount {
      var own: [String: LeRobotEpisode.Video] = [:]
      for video in videos {
        own[video.name] = try video.columns?.video(row: row, name: video.name, info.videoPath)
      }
      guard indices[row] >= 0, lengths[row] >= 0 else {
        throw FileError(
          .malformed, path: path, item: "episode_index, length",
          problem: "are negative in row \(row)", advice: "write the data set again")
      }
      episodes.append(
        LeRobotEpisode(
          index: indices[row], length: lengths[row], tasks: texts?.texts(row: row) ?? [],
          dataPath: try info.dataPath.path(
            numbers: ["chunk_index": chunks[row], "file_index": files[row]]),
          videos: own))
    }
  }
}

/// The columns that tell where an episode is in the video files of a camera.
private struct VideoColumns {
  private let chunks: [Int?], files: [Int?]
  private let starts: ParquetValues

  /// Nil where the table has none of them.
  init?(_ table: ParquetFile, name: String) throws(FileError) {
    guard table.column(named: "videos/\(name)/file_index") != nil else { return nil }
    chunks = try table.optionalIntegers("videos/\(name)/chunk_index", required: false)
    files = try table.optionalIntegers("videos/\(name)/file_index", required: false)
    starts = try table.values(of: "videos/\(name)/from_timestamp")
  }

  /// Nil where the episode has no video.
  func video(
    row: Int, name: String, _ template: PathTemplate?
  ) throws(FileError) -> LeRobotEpisode.Video? {
    guard let template, let chunk = chunks[row], let file = files[row],
      let start = starts.tensor(rows: row..<(row + 1), shape: [])?.doubles.first
    else { return nil }
    return LeRobotEpisode.Video(
      path: try template.path(
        numbers: ["chunk_index": chunk, "file_index": file], names: ["video_key": name]),
      start: start)
  }
}

/// The names in a folder.
enum FolderNames {
  static func sorted(_ path: String) throws(FileError) -> [String] {
    do {
      return try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    } catch {
      throw FileError(
        .missing, path: path, problem: "cannot be listed",
        advice:
          "fetch the whole data set; a recording that was stopped before LeRobot's finalize() lacks "
          + "it")
    }
  }
}

extension ParquetFile {
  /// A whole number for each row.
  func integers(_ name: String) throws(FileError) -> [Int] {
    try optionalIntegers(name, required: true).compactMap { $0 }
  }

  /// A whole number for each row, or nil where it is null.
  ///
  /// - Parameter required: whether a null is an error.
  func optionalIntegers(_ name: String, required: Bool) throws(FileError) -> [Int?] {
    let values = try values(of: name)
    guard let numbers = values.numbers?.wholeNumbers else {
      throw FileError(
        .malformed, path: path, item: name, problem: "has no whole numbers",
        advice: "write the data set again")
    }
    var result: [Int?] = []
    for row in 0..<values.rowCount {
      let range = values.valueRange(rows: row..<(row + 1))
      guard range.count == 1 || (range.isEmpty && !required) else {
        throw FileError(
          .malformed, path: path, item: name, problem: "has \(range.count) values in row \(row)",
          advice: "write the data set again, with one number in each row")
      }
      result.append(range.isEmpty ? nil : numbers[range.lowerBound])
    }
    return result
  }
}

extension StoredTensor {
  /// The elements as whole numbers, also where pandas made floats of them because of a null.
  var wholeNumbers: [Int]? {
    if let integers { return integers }
    let whole = doubles.compactMap { Int(exactly: $0) }
    return whole.count == count ? whole : nil
  }
}
