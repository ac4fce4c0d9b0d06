import Files
import Foundation
import Media
import TestSupport
import Testing

@testable import RobotData

/// The data sets that LeRobot wrote (`make_lerobot.py`), and what pyarrow and PyAV read in them.
enum LeRobotGoldens {
  static let names = ["v21", "v30"]
  static let lengths = [5, 3, 6, 4]
  static let video = "observation.images.top", image = "observation.images.wrist"

  static func folder(_ name: String) -> String { Repository.golden("RobotData/\(name)") }

  static func expected(_ name: String) throws -> NPZFile {
    try NPZFile(path: Repository.golden("RobotData/\(name).npz"))
  }
}

@Test(arguments: LeRobotGoldens.names)
func leRobotNumbersMatchPyarrow(name: String) throws {
  let dataset = try LeRobotDataset(folder: LeRobotGoldens.folder(name))
  let expected = try LeRobotGoldens.expected(name)
  #expect(dataset.version == (name == "v21" ? "v2.1" : "v3.0"))
  #expect(dataset.framesPerSecond == 10 && dataset.robotType == nil && dataset.notes == [])
  #expect(dataset.episodes.map(\.index) == [0, 1, 2, 3])
  #expect(dataset.episodes.map(\.length) == LeRobotGoldens.lengths)
  #expect(dataset.frameCount == 18)
  #expect(dataset.tasks == [0: "push the blue block", 1: "push the red block"])
  // Backwards too: what is kept of one episode must not show in another.
  for episode in dataset.episodes + dataset.episodes.reversed() {
    #expect(episode.tasks == [dataset.tasks[episode.index % 2]])
    #expect(
      try dataset.taskTexts(in: episode)
        == [String](repeating: episode.tasks[0], count: episode.length))
    for feature in dataset.features {
      guard case .numbers(let type) = feature.kind else { continue }
      let stored = try dataset.storedTensor(of: feature.name, in: episode)
      let wanted = try expected.storedTensor(named: "\(episode.index)/\(feature.name)")
      #expect(stored.elementType == type, "\(feature.name)")
      #expect(stored.shape == [episode.length] + feature.shape, "\(feature.name)")
      #expect(stored.doubles == wanted.doubles, "\(name): \(feature.name)")
      #expect(
        try dataset.tensor(of: feature.name, in: episode).elements
          == wanted.doubles.map { Float($0) })
    }
    let times = try expected.storedTensor(named: "\(episode.index)/timestamp").doubles
    #expect(try dataset.timestamps(in: episode) == times)
  }
}

@Test func leRobotFeaturesAreDescribed() throws {
  let dataset = try LeRobotDataset(folder: LeRobotGoldens.folder("v30"))
  let state = try dataset.feature(named: "observation.state")
  #expect(
    state == LeRobotFeature("observation.state", shape: [3], componentNames: ["x", "y", "z"]))
  #expect(try dataset.feature(named: "action").componentNames == ["left", "right"])
  #expect(try dataset.feature(named: "next.done").kind == .numbers(.bool))
  let video = try dataset.feature(named: LeRobotGoldens.video)
  #expect(video.kind == .video && video.isImage && video.shape == [64, 96, 3])
  #expect(try dataset.feature(named: LeRobotGoldens.image).kind == .image)
  let error = #expect(throws: FileError.self) { try dataset.feature(named: "observation.stat") }
  #expect(error?.description.contains("did you mean 'observation.state'?") == true)
  let episode = dataset.episodes[0]
  for (name, word) in [(LeRobotGoldens.video, "images(of:in:)"), (LeRobotGoldens.image, "images")] {
    let error = #expect(throws: FileError.self) { try dataset.tensor(of: name, in: episode) }
    #expect(error?.description.contains(word) == true)
  }
  #expect(throws: FileError.self) { try dataset.images(of: "action", in: episode) }
  #expect(throws: FileError.self) { try dataset.texts(of: "action", in: episode) }
}

/// What the goldens keep of frames of 96x64.
private func everyFourthPixel(_ samples: [Double], frameCount: Int) -> [Double] {
  var kept: [Double] = []
  for frame in 0..<frameCount {
    for row in stride(from: 0, to: 64, by: 4) {
      for column in stride(from: 0, to: 96, by: 4) {
        let start = ((frame * 64 + row) * 96 + column) * 3
        kept += samples[start..<(start + 3)]
      }
    }
  }
  return kept
}

/// The largest difference of RGB samples, and of the brightness that they make.
private func differences(_ a: [Double], _ b: [Double]) -> (sample: Double, luma: Double) {
  let differences = zip(a, b).map { $0 - $1 }
  let lumas = stride(from: 0, to: differences.count, by: 3).map { start -> Double in
    let (red, green) = (differences[start], differences[start + 1])
    return 0.299 * red + 0.587 * green + 0.114 * differences[start + 2]
  }
  return (differences.map(abs).max() ?? .infinity, lumas.map(abs).max() ?? .infinity)
}

/// Images of the table exactly. Of videos, `Media` interpolates the colors, which are stored at half
/// the size, and PyAV repeats them: PyAV itself differs by 11 levels, and by 3 in brightness, between
/// the two ways.
@Test(arguments: LeRobotGoldens.names)
func leRobotImagesMatchPyAV(name: String) throws {
  let dataset = try LeRobotDataset(folder: LeRobotGoldens.folder(name))
  let expected = try LeRobotGoldens.expected(name)
  for episode in dataset.episodes + [dataset.episodes[1], dataset.episodes[0]] {
    let images = try dataset.images(of: LeRobotGoldens.image, in: episode)
    #expect(images.elementType == .uint8 && images.shape == [episode.length, 16, 24, 3])
    let wantedImages = try expected.storedTensor(
      named: "\(episode.index)/\(LeRobotGoldens.image)")
    #expect(images.doubles == wantedImages.doubles)

    let frames = try dataset.images(of: LeRobotGoldens.video, in: episode)
    try #require(frames.shape == [episode.length, 64, 96, 3])
    let wanted = try expected.storedTensor(named: "\(episode.index)/\(LeRobotGoldens.video)")
    try #require(wanted.shape == [episode.length, 16, 24, 3])
    let found = frames.doubles
    let sampled = everyFourthPixel(found, frameCount: episode.length)
    let (difference, lumaDifference) = differences(sampled, wanted.doubles)
    #expect(difference <= 12 && lumaDifference <= 3, "\(name), episode \(episode.index)")
    // Any other frame is further away.
    let frameSize = 16 * 24 * 3
    let shifted = Array(sampled.dropFirst(frameSize)) + Array(sampled.prefix(frameSize))
    #expect(differences(shifted, wanted.doubles).luma > 30)
    // A part of them, made smaller.
    let part = try dataset.images(
      of: LeRobotGoldens.video, in: episode, frames: 1..<3, size: (width: 48, height: 32))
    #expect(part.shape == [2, 32, 48, 3])
    let second = try dataset.images(of: LeRobotGoldens.video, in: episode, frames: 1..<2)
    #expect(second.doubles == Array(found[(64 * 96 * 3)..<(2 * 64 * 96 * 3)]))
  }
}

/// A copy of a golden data set that tests may change.
private func copy(_ name: String) throws -> TemporaryFolder {
  let folder = try TemporaryFolder()
  try FileManager.default.copyItem(
    atPath: LeRobotGoldens.folder(name), toPath: folder.file("set"))
  return folder
}

extension TemporaryFolder {
  /// Replaces text in a file that has it.
  fileprivate func replace(_ old: String, by new: String, in name: String) throws {
    let text = try text(name)
    try #require(text.contains(old), "\(name) has no \(old)")
    try write(text.replacingOccurrences(of: old, with: new), to: name)
  }
}

@Test func leRobotErrorsSayWhatToDo() throws {
  func error(_ folder: String) throws -> FileError {
    try #require(#expect(throws: FileError.self) { try LeRobotDataset(folder: folder) })
  }
  let folder = try copy("v21")
  let set = folder.file("set")
  #expect(try error(folder.file("nowhere")).description.contains("does not exist"))
  #expect(try error(folder.path).description.contains("has no meta/info.json"))
  #expect(try error("\(set)/meta/info.json").kind == .unsupported)

  for (old, new, word) in [
    ("\"v2.1\"", "\"v1.6\"", "convert it"), ("\"fps\": 10", "\"fps\": 0", "fps"),
    ("\"fps\": 10,", "", "fps"), ("data/chunk-", "../chunk-", "data_path"),
    ("{episode_index:06d}.parquet", "{file_index}.parquet", "data_path"),
    ("{episode_index:06d}.parquet", "{episode_index:99999d}.parquet", "data_path"),
    ("\"dtype\": \"bool\"", "\"dtype\": 3", "features.next.done.dtype"),
  ] {
    let folder = try copy("v21")
    try folder.replace(old, by: new, in: "set/meta/info.json")
    let error = try error(folder.file("set"))
    #expect(error.description.contains(word), "\(error)")
    #expect(error.advice != nil, "\(error)")
  }
  try folder.write("{\"episode_index\": 0}\n", to: "set/meta/episodes.jsonl")
  #expect(try error(set).description.contains("length"))
  try FileManager.default.removeItem(atPath: "\(set)/meta/episodes.jsonl")
  #expect(try error(set).description.contains("episodes.jsonl"))
}

@Test func leRobotNotesWhatIsMissing() throws {
  let folder = try copy("v21")
  let set = folder.file("set")
  try FileManager.default.removeItem(atPath: "\(set)/data/chunk-000/episode_000001.parquet")
  try FileManager.default.removeItem(
    atPath: "\(set)/videos/chunk-000/\(LeRobotGoldens.video)/episode_000002.mp4")
  try folder.replace("\"next.done\"", by: "\"next.success\"", in: "set/meta/info.json")
  try folder.replace("\"int64\"", by: "\"complex64\"", in: "set/meta/info.json")
  let dataset = try LeRobotDataset(folder: set)
  #expect(dataset.episodes.map(\.index) == [0, 2, 3])
  let notes = dataset.notes.joined(separator: "\n")
  for text in [
    "left out, because their tables are missing: episode 1", "has no video in episode 2",
    "'next.success' is in meta/info.json and not in the tables",
    "'gripper' is not read: it has the type 'complex64'",
  ] { #expect(notes.contains(text), "\(notes)") }
  #expect(throws: FileError.self) {
    try dataset.tensor(of: "next.success", in: dataset.episodes[0])
  }
  #expect(throws: FileError.self) { try dataset.tensor(of: "gripper", in: dataset.episodes[0]) }
  #expect(throws: FileError.self) {
    try dataset.images(of: LeRobotGoldens.video, in: dataset.episodes[1])
  }
  #expect(try dataset.tensor(of: "action", in: dataset.episodes[1]).shape == [6, 2])
}

@Test func leRobotTablesAndListsMustAgree() throws {
  let folder = try copy("v21")
  try folder.replace("\"length\": 3", by: "\"length\": 4", in: "set/meta/episodes.jsonl")
  let dataset = try LeRobotDataset(folder: folder.file("set"))
  #expect(dataset.notes == ["meta/info.json states 18 frames, the list has 19"])
  let error = #expect(throws: FileError.self) {
    try dataset.tensor(of: "action", in: dataset.episodes[1])
  }
  #expect(error?.description.contains("has 3 rows, and meta states 4") == true)

  try folder.replace(
    "\"shape\": [\n                3", by: "\"shape\": [\n                4",
    in: "set/meta/info.json")
  let other = try LeRobotDataset(folder: folder.file("set"))
  let shape = #expect(throws: FileError.self) {
    try other.tensor(of: "observation.state", in: other.episodes[0])
  }
  #expect(shape?.description.contains("has 3 in frame 0") == true, "\(String(describing: shape))")
}

/// The clock of a video is compared with the table's.
@Test func leRobotVideosMustHaveTheFrames() throws {
  let folder = try copy("v21")
  let videos = "set/videos/chunk-000/\(LeRobotGoldens.video)"
  let short = try folder.bytes("\(videos)/episode_000001.mp4")
  try folder.write(short, to: "\(videos)/episode_000000.mp4")
  try folder.write(Array(short.prefix(1_000)), to: "\(videos)/episode_000003.mp4")
  let dataset = try LeRobotDataset(folder: folder.file("set"))
  let missing = #expect(throws: FileError.self) {
    try dataset.images(of: LeRobotGoldens.video, in: dataset.episodes[0])
  }
  #expect(
    missing?.description.contains("has no frame at 0.3") == true, "\(String(describing: missing))")
  #expect(
    try dataset.images(of: LeRobotGoldens.video, in: dataset.episodes[0], frames: 0..<3).shape[0]
      == 3)
  let damaged = #expect(throws: FileError.self) {
    try dataset.images(of: LeRobotGoldens.video, in: dataset.episodes[3])
  }
  #expect(damaged?.item == LeRobotGoldens.video)
  let patient = try LeRobotDataset(folder: folder.file("set"), tolerance: 1)
  #expect(try patient.images(of: LeRobotGoldens.video, in: patient.episodes[0]).shape[0] == 5)
}
