import DiffusionPolicies
import Files
import Foundation
import Tensors
import TestSupport
import Testing

/// `attune policy convert`, as a user runs it.
struct PolicyConvertCommandTests {
  private static let dataSets = [
    Repository.golden("RobotData/v21"), Repository.golden("RobotData/v30"),
    Repository.golden("Minari/goal"), Repository.golden("Zarr/v2.zarr.zip"),
    Repository.golden("Demonstrations/robomimic.hdf5"),
    Repository.golden("Demonstrations/d4rl.hdf5"),
    Repository.golden("Demonstrations/dppo.npz"),
  ]

  private func convert(
    _ arguments: [String], in folder: TemporaryFolder
  ) throws -> ProgramOutcome {
    try Attune.run(["policy", "convert"] + arguments, in: folder)
  }

  @Test(arguments: dataSets)
  func everyFormatBecomesEveryOther(input: String) throws {
    let folder = try TemporaryFolder()
    let original = try Demonstrations(contentsOf: input)
    for output in ["x.npz", "x.hdf5", "x"] {
      let outcome = try convert(
        [input, "--output", output, "--fps", "10", "--normalization", "none"], in: folder)
      #expect(outcome.status == 0, "\(outcome.output)")
      #expect(outcome.standardOutput.contains(": \(output)\n"), "\(outcome.output)")
      for note in original.notes { #expect(outcome.output.contains(note), "\(outcome.output)") }
      let copy = try Demonstrations(contentsOf: folder.file(output))
      #expect(copy.states == original.states && copy.actions == original.actions)
      #expect(copy.lengths == original.lengths && copy.rewards == original.rewards)
    }
  }

  @Test func partsAreChosenAndJoined() throws {
    let folder = try TemporaryFolder()
    let outcome = try convert(
      [
        Self.dataSets[0], Self.dataSets[1], "--observation", "gripper", "--observation",
        "observation.state", "--action-key", "next.reward", "--episodes", "6", "--output", "x.npz",
        "--json",
      ], in: folder)
    #expect(outcome.status == 0, "\(outcome.output)")
    struct Report: Decodable {
      let episodes: Int, steps: Int, observations: Int, actions: Int, output: String
    }
    let report = try JSONDecoder().decode(Report.self, from: Data(outcome.standardOutput.utf8))
    #expect((report.episodes, report.steps, report.observations, report.actions) == (6, 26, 4, 1))
    #expect(report.output == "x.npz")
    let masks = Repository.golden("Demonstrations/masks.hdf5")
    let masked = try convert([masks, "--filter-key", "20_percent", "-o", "m.npz"], in: folder)
    #expect(masked.standardOutput.hasPrefix("1 episode, 5 steps"), "\(masked.output)")
    let all = try convert([masks, "-o", "m.npz", "--quiet"], in: folder)
    #expect(all.standardOutput.hasPrefix("5 episodes") && all.output == all.standardOutput)
  }

  @Test func imagesAreConverted() throws {
    let folder = try TemporaryFolder()
    let npz = Repository.golden("Demonstrations/images.npz")
    let original = try Demonstrations(contentsOf: npz, images: ["images"])
    for (output, names) in [
      ("x.hdf5", ["images 1_image", "images 2_image"]),
      ("x", ["observation.images.images 1", "observation.images.images 2"]),
    ] {
      let outcome = try convert(
        [npz, "--image", "images", "--fps", "5", "--normalization", "none", "-o", output],
        in: folder)
      #expect(outcome.status == 0, "\(outcome.output)")
      let copy = try Demonstrations(contentsOf: folder.file(output), images: names)
      #expect(copy.images.map(\.bytes) == original.images.map(\.bytes))
    }
  }

  @Test func wrongOptionsAreNamed() throws {
    let folder = try TemporaryFolder()
    let npz = Self.dataSets[6]
    let cases: [(arguments: [String], status: Int32, words: String)] = [
      ([npz, "--output", "x.parquet"], 2, "must end in .npz, .hdf5 or .h5, or be a folder"),
      ([npz, "--output", ""], 2, "--output is empty"), ([npz], 2, "--output"),
      (["--output", "x.npz"], 2, "input"), ([npz, "--output", "x", "--fps", "0"], 2, "--fps is 0"),
      ([npz, "--output", "x.npz", "--episodes", "-2"], 2, "--episodes is -2"),
      ([npz, "--output", "x.npz", "--format", "lerobto"], 2, "lerobot"),
      ([npz, "--output", "x"], 1, "give --fps"),
      ([npz, npz, "--output", "x.npz"], 1, "morePaths"),
      ([npz, "--output", "x.npz", "--filter-key", "train"], 1, "only robomimic files"),
      ([npz, "--output", "x.npz", "--format", "d4rl"], 1, "HDF5"),
      ([npz, Self.dataSets[0], "--output", "x.npz"], 1, "as in \(npz)"),
      ([folder.path, "--output", "x.npz"], 1, "no known data set"),
      (["nowhere", "--output", "x.npz"], 1, "No such file"),
    ]
    for (arguments, status, words) in cases {
      let outcome = try convert(arguments, in: folder)
      #expect(outcome.status == status, "\(arguments): \(outcome.output)")
      #expect(outcome.output.contains(words), "\(arguments): \(outcome.output)")
      #expect(outcome.lines.count <= 2, "\(outcome.output)")
    }
    try FileManager.default.createDirectory(
      atPath: folder.file("full/inside"), withIntermediateDirectories: true)
    let full = try convert([npz, "--output", "full", "--fps", "10"], in: folder)
    #expect(full.status == 1 && full.output.contains("full: is not empty"), "\(full.output)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["full"])
  }
}
