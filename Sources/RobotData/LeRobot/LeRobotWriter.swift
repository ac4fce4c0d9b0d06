import Files
import Foundation
import Media
import Tensors

/// Writes a LeRobot data set of version 3.0 with numbers and images, which lie in its tables as PNG;
/// videos are not written.
///
/// Every file appears under its name when it is complete, `meta/info.json` last: a folder without it
/// was not finished.
public struct LeRobotWriter {
  /// The folder of the data set.
  public let folder: String
  /// What frames have, without the columns that LeRobot itself adds.
  public let features: [LeRobotFeature]
  /// Frames a second.
  public let framesPerSecond: Double
  /// The robot, if it has a name.
  public let robotType: String?
  /// How many episodes were added.
  public var episodeCount: Int { episodes.count }
  /// How many frames they have together.
  public private(set) var frameCount = 0

  private struct Episode {
    let length: Int
    let task: String
    let firstFrame: Int
    let file: Int
    let statistics: [LeRobotStatistics]
  }

  private var table: ParquetWriter
  private var fileNumber = 0
  private var episodes: [Episode] = []
  /// In the order of their numbers.
  private var tasks: [String] = []
  private let maxFileByteCount: Int

  private static let chunkSize = 1_000
  private static let megabyte = 1 << 20
  /// LeRobot's, in megabytes.
  private static let dataFileSize = 100, videoFileSize = 200

  /// The columns that LeRobot adds to every data set.
  private static let ownFeatures = [
    LeRobotFeature("timestamp", .float32, shape: [1]),
    LeRobotFeature("frame_index", .int64, shape: [1]),
    LeRobotFeature("episode_index", .int64, shape: [1]),
    LeRobotFeature("index", .int64, shape: [1]),
    LeRobotFeature("task_index", .int64, shape: [1]),
  ]

  private var allFeatures: [LeRobotFeature] { features + LeRobotWriter.ownFeatures }

  /// Begins a data set.
  ///
  /// - Parameters:
  ///   - folder: one that is empty, or does not exist yet.
  ///   - features: those of numbers, such as `observation.state`, `action` and `next.reward`, and of
  ///     images.
  ///   - framesPerSecond: above 0.
  ///   - robotType: the name of the robot, if it has one.
  /// - Throws: `FileError` if something is in the folder, or a feature is not one that is written.
  public init(
    folder: String, features: [LeRobotFeature], framesPerSecond: Double, robotType: String? = nil
  ) throws(FileError) {
    try self.init(
      folder: folder, features: features, framesPerSecond: framesPerSecond, robotType: robotType,
      maxFileByteCount: LeRobotWriter.dataFileSize * LeRobotWriter.megabyte)
  }

  /// - Parameter maxFileByteCount: from which size on a table is followed by another.
  init(
    folder: String, features: [LeRobotFeature], framesPerSecond: Double, robotType: String? = nil,
    maxFileByteCount: Int
  ) throws(FileError) {
    precondition(
      framesPerSecond > 0 && framesPerSecond.isFinite, "\(framesPerSecond) frames a second")
    try LeRobotWriter.check(features, folder: folder)
    try LeRobotWriter.checkEmpty(folder)
    self.folder = folder
    self.features = features
    self.framesPerSecond = framesPerSecond
    self.robotType = robotType
    self.maxFileByteCount = maxFileByteCount
    table = ParquetWriter(path: LeRobotWriter.dataPath(folder, file: 0))
    for name in ["meta/episodes", "data"] { try LeRobotWriter.makeFolder("\(folder)/\(name)") }
  }

  /// Finds out whether a data set can be written to a folder.
  ///
  /// - Throws: `FileError` if something is in it, or it is a file.
  public static func checkEmpty(_ folder: String) throws(FileError) {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder) else { return }
    guard isFolder.boolValue else {
      throw FileError(
        .system, path: folder, problem: "is a file, where a folder is to be written",
        advice: "name a new folder")
    }
    let contents: [String]
    do {
      contents = try FileManager.default.contentsOfDirectory(atPath: folder)
    } catch {
      throw FileError(
        .system, path: folder, problem: "cannot be listed", advice: "check its permissions")
    }
    guard contents.isEmpty else {
      throw FileError(
        .system, path: folder, problem: "is not empty",
        advice: "name a new folder, or remove what is in it")
    }
  }

  private static func check(_ features: [LeRobotFeature], folder: String) throws(FileError) {
    var names = Set(ownFeatures.map(\.name))
    for feature in features {
      func refusal(_ problem: String, _ advice: String) -> FileError {
        FileError(
          .unsupported, path: folder, item: feature.name, problem: problem, advice: advice)
      }
      switch feature.kind {
      case .image: break
      case .numbers(let type) where type != .bfloat16: break
      default: throw refusal("is not a feature that is written", "leave it out")
      }
      guard !feature.shape.isEmpty, feature.shape.allSatisfy({ $0 > 0 }), feature.shape.count <= 5
      else {
        throw refusal(
          "has the shape \(feature.shape)", "give it 1 to 5 sizes above 0, [1] for one number")
      }
      guard feature.name.isEmpty == false, !feature.name.contains("/") else {
        throw refusal("has a name that LeRobot does not allow", "name it without slashes")
      }
      guard names.insert(feature.name).inserted else {
        throw refusal("comes twice, or is a name that LeRobot keeps for itself", "rename it")
      }
    }
  }

  private static func makeFolder(_ path: String) throws(FileError) {
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw FileError(
        .system, path: path, problem: "cannot be created: \(error.localizedDescription)",
        advice: "check the path and its permissions")
    }
  }

  private static func dataPath(_ folder: String, file: Int) -> String {
    "\(folder)/data/\(place(ofFile: file)).parquet"
  }

  /// As in `chunk-000/file-000`.
  private static func place(ofFile file: Int) -> String {
    "chunk-\(digits(file / chunkSize, 3))/file-\(digits(file % chunkSize, 3))"
  }

  private static func digits(_ number: Int, _ count: Int) -> String {
    String(repeating: "0", count: max(0, count - "\(number)".count)) + "\(number)"
  }
}

// Episodes.
extension LeRobotWriter {
  /// Adds a recording; frames are `1 / framesPerSecond` apart.
  ///
  /// - Parameters:
  ///   - values: for every feature of numbers these, `[T] + shape`, with at least one frame.
  ///   - images: for every feature of images `T` of them, RGB.
  ///   - task: what was to be done, in words.
  /// - Throws: `FileError` if a feature is missing or does not have its type and shape, or a file
  ///   cannot be written.
  public mutating func addEpisode(
    _ values: [String: StoredTensor], images: [String: [Image]] = [:], task: String
  ) throws(FileError) {
    let length = try check(values, images)
    let taskNumber = tasks.firstIndex(of: task) ?? tasks.count
    if taskNumber == tasks.count { tasks.append(task) }
    if table.byteCount >= maxFileByteCount { try startTable() }
    var contents = features.compactMap { feature -> (LeRobotFeature, Content)? in
      images[feature.name].map { (feature, .images($0)) }
        ?? values[feature.name].map { (feature, .numbers($0)) }
    }
    let frames = Array(0..<length)
    let first = frameCount
    let rate = framesPerSecond
    let own: [StoredTensor] = [
      StoredTensor(Tensor(frames.map { Float(Double($0) / rate) })),
      StoredTensor(shape: [length], integers: frames),
      StoredTensor(shape: [length], integers: frames.map { _ in episodes.count }),
      StoredTensor(shape: [length], integers: frames.map { first + $0 }),
      StoredTensor(shape: [length], integers: frames.map { _ in taskNumber }),
    ]
    contents += zip(LeRobotWriter.ownFeatures, own).map { ($0, .numbers($1)) }
    try table.appendRowGroup(contents.flatMap { $1.columns(of: $0, length: length) })
    episodes.append(
      Episode(
        length: length, task: task, firstFrame: frameCount, file: fileNumber,
        statistics: contents.map(\.1.statistics)))
    frameCount += length
  }

  /// What the frames of an episode have under one name.
  private enum Content {
    case numbers(StoredTensor)
    case images([Image])

    func columns(of feature: LeRobotFeature, length: Int) -> [ParquetWriter.Column] {
      switch self {
      case .numbers(let tensor):
        // A single number is a plain column, not a list of one.
        let shape = feature.shape == [1] ? [length] : [length] + feature.shape
        return [ParquetWriter.Column(feature.name, tensor.reshaped(shape))]
      case .images(let images):
        return ParquetWriter.Column.files(
          feature.name, bytes: images.map { $0.pngBytes() },
          paths: images.indices.map { "frame-\(LeRobotWriter.digits($0, 6)).png" })
      }
    }

    var statistics: LeRobotStatistics {
      switch self {
      case .numbers(let tensor): LeRobotStatistics(tensor)
      case .images(let images): LeRobotStatistics(images: images)
      }
    }
  }

  private func check(
    _ values: [String: StoredTensor], _ images: [String: [Image]]
  ) throws(FileError) -> Int {
    let length =
      features.first.flatMap { values[$0.name]?.shape.first ?? images[$0.name]?.count } ?? 0
    guard length > 0 else {
      throw FileError(
        .missing, path: folder, item: "episode \(episodes.count)", problem: "has no frames",
        advice: "leave it out")
    }
    let known = Dictionary(grouping: features, by: { $0.kind == .image }).mapValues {
      Set($0.map(\.name))
    }
    let unknown =
      (Set(values.keys).subtracting(known[false] ?? [])
      .union(Set(images.keys).subtracting(known[true] ?? []))).sorted()
    guard unknown.isEmpty else {
      throw FileError(
        .unsupported, path: folder, item: "episode \(episodes.count)",
        problem: "has \(unknown.joined(separator: ", ")), which the data set does not list",
        advice: "name every feature when the data set begins")
    }
    for feature in features {
      guard case .numbers(let type) = feature.kind else {
        try check(images[feature.name] ?? [], of: feature, length: length)
        continue
      }
      let found = values[feature.name]
      let shapes = [[length] + feature.shape, feature.shape == [1] ? [length] : []]
      guard let found, found.elementType == type, shapes.contains(found.shape) else {
        throw FileError(
          .malformed, path: folder, item: "\(feature.name), episode \(episodes.count)",
          problem: "is \(found.map { "\($0)" } ?? "missing"), not \(type.rawValue) \(shapes[0])",
          advice: "give every feature for every frame")
      }
    }
    return length
  }

  private func check(
    _ images: [Image], of feature: LeRobotFeature, length: Int
  ) throws(FileError) {
    let other = images.first { [$0.height, $0.width, $0.channelCount] != feature.shape }
    guard images.count == length, other == nil else {
      throw FileError(
        .malformed, path: folder, item: "\(feature.name), episode \(episodes.count)",
        problem: other.map { "has \($0)" } ?? "has \(images.count) images",
        advice: "give an image of shape \(feature.shape) for each of \(length) frames")
    }
  }

  private mutating func startTable() throws(FileError) {
    try writeTable()
    fileNumber += 1
    table = ParquetWriter(path: LeRobotWriter.dataPath(folder, file: fileNumber))
  }

  private func writeTable() throws(FileError) {
    let chunk = LeRobotWriter.place(ofFile: fileNumber).prefix { $0 != "/" }
    try LeRobotWriter.makeFolder("\(folder)/data/\(chunk)")
    try table.finish()
  }
}

// What describes the data set.
extension LeRobotWriter {
  /// Writes what is left: the last table, the lists of episodes and tasks, statistics and, last,
  /// `meta/info.json`. Nothing may be added afterwards.
  ///
  /// - Throws: `FileError` if there are no episodes, or a file cannot be written.
  public func finish() throws(FileError) {
    guard !episodes.isEmpty else {
      throw FileError(
        .missing, path: folder, problem: "has no episodes to finish with",
        advice: "add one; LeRobot does not open an empty data set")
    }
    try writeTable()
    try writeEpisodes()
    try writeTasks()
    try statistics.write(to: "\(folder)/meta/stats.json")
    try info.write(to: "\(folder)/\(LeRobotInfo.relativePath)")
  }

  private func writeEpisodes() throws(FileError) {
    let place = LeRobotWriter.place(ofFile: 0)
    try LeRobotWriter.makeFolder("\(folder)/meta/episodes/\(place.prefix { $0 != "/" })")
    var writer = ParquetWriter(path: "\(folder)/meta/episodes/\(place).parquet")
    func integers(_ name: String, _ value: (Episode) -> Int) -> ParquetWriter.Column {
      ParquetWriter.Column(
        name, StoredTensor(shape: [episodes.count], integers: episodes.map(value)))
    }
    var columns = [
      ParquetWriter.Column(
        "episode_index",
        StoredTensor(shape: [episodes.count], integers: Array(episodes.indices))),
      ParquetWriter.Column("tasks", textLists: episodes.map { [$0.task] }),
      integers("length", \.length),
      integers("data/chunk_index") { $0.file / LeRobotWriter.chunkSize },
      integers("data/file_index") { $0.file % LeRobotWriter.chunkSize },
      integers("dataset_from_index", \.firstFrame),
      integers("dataset_to_index") { $0.firstFrame + $0.length },
    ]
    for (index, feature) in allFeatures.enumerated() {
      columns.append(
        ParquetWriter.Column(
          "stats/\(feature.name)/count",
          StoredTensor(
            shape: [episodes.count, 1], integers: episodes.map { $0.statistics[index].count })))
      for name in LeRobotWriter.statisticNames {
        let numbers = episodes.flatMap { $0.statistics[index].values[name] ?? [] }
        columns.append(
          ParquetWriter.Column(
            "stats/\(feature.name)/\(name)",
            StoredTensor(
              shape: [episodes.count] + feature.statisticsShape, doubles: numbers)))
      }
    }
    columns += [
      integers("meta/episodes/chunk_index") { _ in 0 },
      integers("meta/episodes/file_index") { _ in 0 },
    ]
    try writer.appendRowGroup(columns)
    try writer.finish()
  }

  private static let statisticNames =
    ["min", "max", "mean", "std"] + LeRobotStatistics.quantiles.map(\.name)

  /// A table whose index is the text, for which pandas needs a description.
  private func writeTasks() throws(FileError) {
    func column(_ name: String, _ type: String, _ numPyType: String) -> JSONValue {
      [
        "name": .string(name), "field_name": .string(name), "pandas_type": .string(type),
        "numpy_type": .string(numPyType), "metadata": nil,
      ]
    }
    let description: JSONValue = [
      "index_columns": ["task"], "column_indexes": [], "pandas_version": "2.0.0",
      "columns": [
        column("task_index", "int64", "int64"), column("task", "unicode", "object"),
      ],
    ]
    var writer = ParquetWriter(
      path: "\(folder)/meta/tasks.parquet", metadata: ["pandas": description.text])
    try writer.appendRowGroup([
      ParquetWriter.Column(
        "task_index", StoredTensor(shape: [tasks.count], integers: Array(tasks.indices))),
      ParquetWriter.Column("task", texts: tasks),
    ])
    try writer.finish()
  }

  private var statistics: JSONValue {
    var members: [String: JSONValue] = [:]
    for (index, feature) in allFeatures.enumerated() {
      var merged = episodes[0].statistics[index]
      for episode in episodes.dropFirst() { merged.merge(episode.statistics[index]) }
      members[feature.name] = merged.json(shape: feature.statisticsShape)
    }
    return .object(members)
  }

  private var info: JSONValue {
    var members: [String: JSONValue] = [:]
    for feature in allFeatures {
      members[feature.name] = [
        "dtype": .string(feature.typeName),
        "shape": .array(feature.shape.map { .number(Double($0)) }),
        "names": feature.componentNames.isEmpty
          ? nil : .array(feature.componentNames.map { .string($0) }),
      ]
    }
    return [
      "codebase_version": "v3.0", "robot_type": robotType.map { .string($0) } ?? nil,
      "total_episodes": .number(Double(episodes.count)),
      "total_frames": .number(Double(frameCount)), "total_tasks": .number(Double(tasks.count)),
      "chunks_size": .number(Double(LeRobotWriter.chunkSize)),
      "data_files_size_in_mb": .number(Double(LeRobotWriter.dataFileSize)),
      "video_files_size_in_mb": .number(Double(LeRobotWriter.videoFileSize)),
      "fps": .number(framesPerSecond),
      "splits": ["train": .string("0:\(episodes.count)")],
      "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
      "video_path": nil, "features": .object(members),
    ]
  }
}

extension LeRobotFeature {
  /// Of images the statistics are those of channels, `[3, 1, 1]`.
  fileprivate var statisticsShape: [Int] { kind == .image ? [shape[2], 1, 1] : shape }

  /// As `meta/info.json` has it.
  fileprivate var typeName: String {
    if case .numbers(let type) = kind { type.rawValue } else { "image" }
  }
}
