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
