import Files
import Foundation
import TestSupport
import Testing

@testable import RobotData

/// SplitMix64, so that a failure can be made again.
private struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}

/// A data set with one file changed in any way is read, or refused with a `FileError`.
@Suite(.serialized) struct DamagedLeRobotTests {
  private func readAll(_ folder: String) throws(FileError) {
    let dataset = try LeRobotDataset(folder: folder)
    var errors: [FileError] = []
    for episode in dataset.episodes.prefix(8) {
      for feature in dataset.features {
        do throws(FileError) {
          switch feature.kind {
          case .numbers: _ = try dataset.tensor(of: feature.name, in: episode)
          case .image: _ = try dataset.images(of: feature.name, in: episode)
          case .text: _ = try dataset.texts(of: feature.name, in: episode)
          case .video, .unreadable: break
          }
        } catch {
          errors.append(error)
        }
      }
      do throws(FileError) {
        _ = try dataset.taskTexts(in: episode)
      } catch {
        errors.append(error)
      }
    }
    if let error = errors.first { throw error }
  }

  /// Shapes whose product overflows, and statistics that are no numbers.
  @Test func liesInMetaAreErrors() throws {
    let folder = try TemporaryFolder()
    try FileManager.default.copyItem(
      atPath: LeRobotGoldens.folder("v30"), toPath: folder.file("set"))
    let info = String(
      decoding: try folder.bytes("set/meta/info.json"), as: UTF8.self)
    let shape = try #require(info.firstMatch(of: #/"shape": \[\s*3\s*\]/#)).output
    let lying = info.replacing(shape, with: "\"shape\": [4611686018427387904, 8]")
    try folder.write(Array(lying.utf8), to: "set/meta/info.json")
    let dataset = try LeRobotDataset(folder: folder.file("set"))
    let error = #expect(throws: FileError.self) {
      try dataset.tensor(of: "observation.state", in: dataset.episodes[0])
    }
    #expect(error?.description.contains("3 in frame 0") == true, "\(String(describing: error))")
    #expect(try dataset.summary().tensors.contains { $0.shape.contains(4_611_686_018_427_387_904) })
    for statistics in [
      "[]", "{", "{\"action\": 3}", "{\"action\": {\"mean\": [1], \"max\": [1, 2]}}",
    ] {
      try folder.write(Array(statistics.utf8), to: "set/meta/stats.json")
      if statistics.hasPrefix("{\"") {
        let items = try dataset.summary().items
        #expect(!items.contains { $0.name == "action@statistics" }, "\(items)")
      } else {
        #expect(throws: FileError.self) { try dataset.summary() }
      }
    }
  }

  @Test(arguments: [
    ("v21", "meta/info.json"), ("v21", "meta/episodes.jsonl"), ("v21", "meta/tasks.jsonl"),
    ("v21", "data/chunk-000/episode_000001.parquet"), ("v30", "meta/info.json"),
    ("v30", "meta/tasks.parquet"), ("v30", "meta/episodes/chunk-000/file-000.parquet"),
    ("v30", "data/chunk-000/file-000.parquet"),
  ])
  func changedFilesAreReadOrRefused(name: String, file: String) throws {
    let folder = try TemporaryFolder()
    try FileManager.default.copyItem(
      atPath: LeRobotGoldens.folder(name), toPath: folder.file("set"))
    let bytes = try folder.bytes("set/\(file)")
    var random = SeededGenerator(state: 5)
    var (readCount, errorCount) = (0, 0)
    for _ in 0..<100 {
      var damaged = bytes
      let count = Int.random(in: 1...3, using: &random)
      for _ in 0..<count {
        // Formats keep their structure at the ends.
        let index =
          Bool.random(using: &random)
          ? Int.random(in: damaged.indices, using: &random)
          : damaged.count - 1 - Int.random(in: 0..<min(400, damaged.count), using: &random)
        damaged[index] = UInt8.random(in: 0...255, using: &random)
      }
      if Int.random(in: 0..<10, using: &random) == 0 {
        damaged = Array(damaged.prefix(Int.random(in: damaged.indices, using: &random)))
      }
      try folder.write(damaged, to: "set/\(file)")
      do throws(FileError) {
        try readAll(folder.file("set"))
        readCount += 1
      } catch {
        errorCount += 1
        #expect(!error.description.contains("\n"))
      }
    }
    #expect(readCount + errorCount == 100)
  }

  /// A list that claims lengths which sums and memory could not hold.
  @Test(arguments: [9_000_000_000_000_000, 2_000_000_000])
  func claimedLengthsAreNotBelieved(length: Int) throws {
    let folder = try TemporaryFolder()
    try FileManager.default.copyItem(
      atPath: LeRobotGoldens.folder("v21"), toPath: folder.file("set"))
    let lines = try folder.text("set/meta/episodes.jsonl")
    try folder.write(
      lines.replacingOccurrences(of: "\"length\": 3", with: "\"length\": \(length)"),
      to: "set/meta/episodes.jsonl")
    let error = #expect(throws: FileError.self) {
      let dataset = try LeRobotDataset(folder: folder.file("set"))
      #expect(dataset.frameCount > length)
      _ = try dataset.timestamps(in: dataset.episodes[1])
    }
    #expect(error?.description.contains("\(length)") == true)
  }
}
