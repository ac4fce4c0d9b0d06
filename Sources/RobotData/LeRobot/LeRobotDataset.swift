import Configuration
import Files
import Foundation
import Tensors

/// A LeRobot data set in a local folder, of version 2.0, 2.1 or 3.
///
/// Opening one reads its lists; numbers, images and videos are read episode by episode, and what the
/// next episode shares with the last, such as a table or a video file, is not read again. Episodes of
/// v3 are read fastest in their order.
///
/// What a folder lacks is no error until it is wanted; `notes` states it.
public final class LeRobotDataset: Sendable {
  /// The folder that holds `meta`, `data` and `videos`.
  public let folder: String
  /// The version of its layout, as in `v3.0`.
  public let version: String
  /// Frames a second.
  public let framesPerSecond: Double
  /// The robot that it was recorded with, if it says.
  public let robotType: String?
  /// What frames have, sorted by name.
  public let features: [LeRobotFeature]
  /// The recordings whose tables are there, by number.
  public let episodes: [LeRobotEpisode]
  /// The texts of tasks by number.
  public let tasks: [Int: String]
  /// What the folder lacks or has that is not read, a sentence each.
  public let notes: [String]

  let tables: LeRobotTables
  let videos: LeRobotVideos

  /// The frames of all episodes together.
  public var frameCount: Int { episodes.reduce(0) { $0 + $1.length } }

  /// Opens a data set.
  ///
  /// - Parameters:
  ///   - folder: the one that holds `meta/info.json`.
  ///   - tolerance: how far a video's frame may be from the time that the table states, in seconds.
  /// - Throws: `FileError` if the folder is not that of a data set, or what describes it is damaged.
  public init(folder: String, tolerance: Double = 1e-4) throws(FileError) {
    let info = try LeRobotInfo(folder: folder)
    let lists = try LeRobotEpisodes(folder: folder, info: info)
    self.folder = folder
    version = info.version
    framesPerSecond = info.framesPerSecond
    robotType = info.robotType
    features = info.features
    tasks = lists.tasks
    let contents = LeRobotContents(folder: folder, info: info, listed: lists.episodes)
    episodes = contents.episodes
    tables = LeRobotTables(folder: folder)
    videos = LeRobotVideos(folder: folder, tolerance: tolerance)
    notes = contents.notes + (try contents.columnNotes(tables))
  }

  /// The feature of a name.
  ///
  /// - Throws: `FileError` if there is none.
  public func feature(named name: String) throws(FileError) -> LeRobotFeature {
    guard let feature = features.first(where: { $0.name == name }) else {
      let names = features.map(\.name)
      throw FileError(
        .missing, path: folder, item: name, problem: "is not a feature of the data set",
        advice: name.nearest(among: names).map { "did you mean '\($0)'?" }
          ?? "it has \(names.joined(separator: ", "))")
    }
    return feature
  }

  /// The numbers of a feature in an episode, `[T] + shape`: `[T, D]` of a vector, `[T, 1]` of a single
  /// number; booleans are 0 and 1.
  ///
  /// - Throws: `FileError` if there is no such feature, it has no numbers or cannot be read.
  public func tensor(of name: String, in episode: LeRobotEpisode) throws(FileError) -> Tensor {
    Tensor(try storedTensor(of: name, in: episode))
  }

  /// The numbers of a feature in an episode as they are stored, `[T] + shape`.
  ///
  /// - Throws: `FileError` if there is no such feature, it has no numbers or cannot be read.
  public func storedTensor(
    of name: String, in episode: LeRobotEpisode
  ) throws(FileError) -> StoredTensor {
    let feature = try feature(named: name)
    guard case .numbers = feature.kind else {
      throw mismatch(feature, "numbers", "read it by images(of:in:) or texts(of:in:)")
    }
    let (values, rows) = try tables.values(of: name, in: episode)
    guard let tensor = values.tensor(rows: rows, shape: feature.shape) else {
      // A shape may state more than there are numbers for.
      let size = feature.shape.reduce(1) { product, size in
        let (value, overflow) = product.multipliedReportingOverflow(by: size)
        return overflow ? .max : value
      }
      let row = rows.first { values.valueCount(row: $0) != size }
      let found = row.map { "\(values.valueCount(row: $0)) in frame \($0 - rows.lowerBound)" }
      throw FileError(
        .malformed, path: "\(folder)/\(episode.dataPath)",
        item: "\(name), episode \(episode.index)",
        problem: "has \(found ?? "no numbers"), its shape \(feature.shape) has \(size) numbers",
        advice: "write the data set again, or state the shape that it has in meta/info.json")
    }
    return tensor
  }

  /// The texts of a feature in an episode, one for each frame.
  ///
  /// - Throws: `FileError` if there is no such feature, it has no texts or cannot be read.
  public func texts(of name: String, in episode: LeRobotEpisode) throws(FileError) -> [String] {
    let feature = try feature(named: name)
    guard feature.kind == .text else {
      throw mismatch(feature, "texts", "read its numbers or images")
    }
    let (values, rows) = try tables.values(of: name, in: episode)
    return rows.map { values.texts(row: $0).first ?? "" }
  }

  /// When each frame was taken, in seconds since the episode began; by the frame rate where the table
  /// does not say.
  ///
  /// - Throws: `FileError` if the table cannot be read.
  public func timestamps(in episode: LeRobotEpisode) throws(FileError) -> [Double] {
    guard try tables.hasColumn("timestamp", in: episode) else {
      try tables.check(episode)
      return (0..<episode.length).map { Double($0) / framesPerSecond }
    }
    let (values, rows) = try tables.values(of: "timestamp", in: episode)
    guard let times = values.tensor(rows: rows, shape: [])?.doubles else {
      throw FileError(
        .malformed, path: "\(folder)/\(episode.dataPath)",
        item: "timestamp, episode \(episode.index)", problem: "has frames without a time",
        advice: "write the data set again")
    }
    return times
  }

  /// What was to be done in each frame, in words.
  ///
  /// - Throws: `FileError` if the table cannot be read, or names a task that has no text.
  public func taskTexts(in episode: LeRobotEpisode) throws(FileError) -> [String] {
    let path = "\(folder)/\(episode.dataPath)"
    guard try tables.hasColumn("task_index", in: episode) else {
      try tables.check(episode)
      guard let task = episode.tasks.first, episode.tasks.count == 1 else {
        throw FileError(
          .missing, path: path, item: "task_index, episode \(episode.index)",
          problem: "is not in the table, and the episode has \(episode.tasks.count) tasks",
          advice: "add the column, or use the episode's list of tasks")
      }
      return [String](repeating: task, count: episode.length)
    }
    let (values, rows) = try tables.values(of: "task_index", in: episode)
    let numbers = values.tensor(rows: rows, shape: [])?.wholeNumbers ?? []
    let texts = numbers.compactMap { tasks[$0] }
    guard texts.count == episode.length else {
      throw FileError(
        .malformed, path: path, item: "task_index, episode \(episode.index)",
        problem: "names a task that meta/tasks does not list",
        advice: "fetch data and meta of the same revision")
    }
    return texts
  }

  func mismatch(_ feature: LeRobotFeature, _ wanted: String, _ advice: String) -> FileError {
    let found =
      switch feature.kind {
      case .numbers: "numbers"
      case .text: "texts"
      case .image, .video: "images"
      case .unreadable(let what): "\(what), which Attune does not read"
      }
    return FileError(
      .unsupported, path: folder, item: feature.name, problem: "has \(found), not \(wanted)",
      advice: advice)
  }
}
