import Foundation
import TestSupport
import Testing

@testable import Files

/// The program itself, as a user runs it.
struct InspectCommandTests {
  private func attune(
    _ arguments: String..., separatesErrors: Bool = false
  ) throws -> (status: Int32, output: String) {
    let outcome = try Attune.run(arguments)
    return (outcome.status, separatesErrors ? outcome.standardOutput : outcome.output)
  }

  struct Report: Decodable, Equatable {
    struct File: Decodable, Equatable {
      let path: String
      let kind: String
      let tensors: [Tensor]
    }
    struct Tensor: Decodable, Equatable {
      let name: String
      let type: String
      let shape: [Int]
    }
    let files: [File]
  }

  private func report(_ json: String) throws -> Report {
    try JSONDecoder().decode(Report.self, from: Data(json.utf8))
  }

  @Test func everyKindIsShown() throws {
    let names = ["types.safetensors", "int32.npy", "stored.npz", "earliest.h5", "checkpoint2.pt"]
    for name in names {
      let (status, output) = try attune("inspect", Goldens.path(name))
      #expect(status == 0, "\(output)")
      let expected = try Goldens.expected(name)
      for (name, tensor) in expected where !name.isEmpty {
        let line = output.split(separator: "\n").first { $0.hasPrefix("  \(name.printable) ") }
        #expect(line?.contains("\(tensor.type) ") == true, "\(name)")
        #expect(line?.contains("\(tensor.shape)") == true, "\(name)")
      }
      #expect(output.contains(" tensor"))
    }
    let (_, output) = try attune("inspect", Goldens.path("checkpoint2.pt"))
    #expect(output.contains("epoch: 200"))
    let (_, hdf5) = try attune("inspect", Goldens.path("earliest.h5"))
    #expect(hdf5.contains("data/demo_0@num_samples: 30"))
    #expect(hdf5.contains("uint32"))
  }

  @Test func jsonIsOneObject() throws {
    let path = Goldens.path("demonstrations.npz")
    let (status, output) = try attune("inspect", "--json", path, separatesErrors: true)
    #expect(status == 0)
    let expected = Report(files: [
      .init(
        path: path, kind: "npz",
        tensors: [
          .init(name: "actions", type: "float32", shape: [9, 2]),
          .init(name: "states", type: "float32", shape: [9, 5]),
          .init(name: "traj_lengths", type: "int64", shape: [2]),
        ])
    ])
    #expect(try report(output) == expected)
    #expect(output.filter { $0 == "\n" }.count == 1)
    let again = try attune("inspect", "--json", path, separatesErrors: true)
    #expect(again.output == output)
  }

  @Test func oneFailureDoesNotHideTheOthers() throws {
    let good = Goldens.path("int32.npy")
    let (status, output) = try attune(
      "inspect", "--json", Goldens.path("nowhere"), good, Goldens.path("command.pt"),
      separatesErrors: true)
    #expect(status == 1)
    #expect(try report(output).files.map(\.path) == [good])
    let (_, all) = try attune("inspect", Goldens.path("nowhere"), Goldens.path("command.pt"))
    let lines = all.split(separator: "\n")
    #expect(lines.count == 2)
    #expect(lines.first?.contains("No such file") == true)
    #expect(lines.last?.contains("posix.system") == true)
  }

  @Test func foldersAreListed() throws {
    let folder = try TemporaryFolder()
    let checkpoints = folder.file("checkpoints")
    try FileManager.default.createDirectory(atPath: checkpoints, withIntermediateDirectories: true)
    _ = try folder.write(Array("seed: 1\n".utf8), to: "config.yaml")
    for name in ["b.safetensors", "a.safetensors"] {
      _ = try folder.write(try Goldens.bytes("types.safetensors"), to: "checkpoints/\(name)")
    }
    // A link that leads back must not be followed for ever.
    try FileManager.default.createSymbolicLink(
      atPath: folder.file("checkpoints/up"), withDestinationPath: folder.path)
    let (status, output) = try attune("inspect", folder.path + "/")
    #expect(status == 0, "\(output)")
    #expect(output.contains("folder, 2 tensor files; also"))
    #expect(output.contains("config.yaml (8 bytes)"))
    let (_, json) = try attune("inspect", "--json", folder.path, separatesErrors: true)
    #expect(
      try report(json).files.map(\.path)
        == ["\(checkpoints)/a.safetensors", "\(checkpoints)/b.safetensors"])
  }

  @Test(arguments: ["v21", "v30"])
  func dataSetsOfLeRobotAreShown(name: String) throws {
    let golden = Repository.golden("RobotData/\(name)")
    for path in [golden, golden + "/"] {
      let (status, output) = try attune("inspect", path)
      #expect(status == 0, "\(output)")
      #expect(output.hasPrefix("\(golden): lerobot\n"))
      for line in [
        "frames a second: 10", "episodes: 4 of 3 to 6 frames, 18 frames in all",
        "task 1: push the red block", "action@names: left, right",
        "observation.state@statistics: min [0, 0, 0], max [3, 5, 5.667]",
      ] { #expect(output.contains("  \(line)"), "\(output)") }
      let video = output.split(separator: "\n").first { $0.contains("images.top") }
      #expect(video?.contains("video") == true && video?.contains("[18, 64, 96, 3]") == true)
    }
    let (status, outer) = try attune("inspect", Repository.golden("RobotData"))
    #expect(status == 0, "\(outer)")
    #expect(outer.contains("\(golden): lerobot\n") && !outer.contains("episode_000000.parquet"))
    let (_, json) = try attune("inspect", "--json", golden, separatesErrors: true)
    let file = try #require(try report(json).files.first)
    #expect(file.kind == "lerobot" && file.tensors.count == 13)
  }

  @Test func zarrFoldersAreShown() throws {
    let (status, output) = try attune("inspect", Repository.golden("Zarr"))
    #expect(status == 0, "\(output)")
    #expect(output.contains("folder, 6 tensor files; also make_zarr.py"), "\(output)")
    for name in ["v2", "v3", "v2.zarr.zip"] {
      let path = Repository.golden("Zarr/\(name)")
      #expect(output.contains("\(path): zarr\n"), "\(output)")
      let (status, own) = try attune("inspect", path)
      #expect(status == 0 && own.hasPrefix("\(path): zarr\n"), "\(own)")
      let image = own.split(separator: "\n").first { $0.contains("data/img") }
      #expect(image?.contains("float32") == true && image?.contains("[20, 4, 4, 3]") == true)
    }
  }

  @Test func hostileNamesAreEscaped() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("x.safetensors")
    try SafetensorsFile.write(
      ["\u{1B}[2J\u{202E}": StoredTensor(shape: [1], integers: [1])],
      metadata: ["\u{7}": "\u{1B}c"], to: path)
    let (status, output) = try attune("inspect", path)
    #expect(status == 0)
    #expect(output.contains("\\u{1b}[2J\\u{202e}"))
    let unsafe: [Unicode.Scalar] = ["\u{1B}", "\u{202E}", "\u{7}"]
    #expect(!output.unicodeScalars.contains { unsafe.contains($0) })
  }

  @Test func callingItWronglyIsTwo() throws {
    for arguments in [["inspect"], ["inspect", "--bogus", "x"], ["bogus"]] {
      let outcome = try Attune.run(arguments)
      #expect(outcome.status == 2, "\(arguments)")
      #expect(outcome.lines.count <= 2, "\(outcome.output)")
    }
    let (status, output) = try attune("inspect", "--help", separatesErrors: true)
    #expect(status == 0)
    #expect(output.contains("Example:"))
  }
}
