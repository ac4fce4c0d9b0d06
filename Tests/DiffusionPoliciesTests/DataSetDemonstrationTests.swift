import Environments
import Files
import Foundation
import Tensors
import TestSupport
import Testing

@testable import DiffusionPolicies

/// Data sets of Minari and Diffusion Policy as demonstrations, and what is written.
@Suite struct DataSetDemonstrationTests {
  private func read(
    _ path: String, _ change: (inout DemonstrationConfiguration) -> Void = { _ in }
  ) throws -> Demonstrations {
    var settings = DemonstrationConfiguration()
    settings.path = path
    change(&settings)
    try settings.validate()
    var environment = EnvironmentConfiguration()
    environment.name = "none"
    return try settings.read(for: environment)
  }

  private func refusal(
    _ path: String, _ change: (inout DemonstrationConfiguration) -> Void = { _ in }
  ) throws -> String {
    let error = #expect(throws: (any Error).self) { try read(path, change) }
    return "\(try #require(error))"
  }

  private static func minari(_ name: String) -> String { Repository.golden("Minari/\(name)") }
  private static func zarr(_ name: String) -> String { Repository.golden("Zarr/\(name)") }

  // MARK: Minari

  @Test(arguments: ["box", "goal"])
  func agreesWithMinari(name: String) throws {
    let root = Self.minari(name)
    let expected = try NPZFile(path: root + ".npz")
    func all(_ key: String) throws -> [Float] {
      try (0..<3).flatMap { try expected.tensor(named: "\($0)/\(key)").elements }
    }
    for path in [root, "\(root)/data", "\(root)/data/main_data.hdf5"] {
      let read = try read(path)
      #expect((read.stateSize, read.actionSize) == (name == "box" ? 3 : 8, 2))
      #expect(read.lengths == [4, 2, 5])
      #expect(read.states == (try all("observations")))
      #expect(read.actions == (try all("actions")))
      #expect(read.rewards == (try all("rewards")))
      #expect(read.terminals == (try all("terminations").map { $0 != 0 }))
      #expect(read.terminals.count { $0 } == 1)
      #expect(
        read.notes.contains("the observation after the last action of each episode is left out"))
      #expect(read.notes.contains("1 other tensor is not read: infos/success"))
      let images =
        "1 observation of images is not read: observations/pixels; demonstrations.images names those "
        + "to read"
      #expect(read.notes.contains(images) == (name == "goal"), "\(read.notes)")
    }
  }

  @Test func partsOfMinariAreChosenByName() throws {
    let goal = Self.minari("goal")
    let read = try read(goal) {
      $0.observations = ["inner", "desired_goal"]
      $0.episodeLimit = 2
    }
    #expect(read.stateSize == 4 && read.lengths == [4, 2])
    // Discrete a, then b, of step 1 of episode 1; and its goal.
    #expect(Array(read.states[20..<24]) == [1, 161, 141, 151])
    #expect(try refusal(goal) { $0.observations = ["pixels"] }.contains("images of shape"))
    let unknown = try refusal(goal) { $0.observations = ["observatio"] }
    #expect(unknown.contains("it has desired_goal, inner/a, inner/b, observation, pixels"))
  }

  /// Files of any length as Minari writes them, and bytes; grey images and colored ones.
  @Test(arguments: ["jpeg", "raw"], [true, false])
  func imagesOfMinariAreThoseItReads(name: String, hasMetadata: Bool) throws {
    let root = Self.minari(name)
    let expected = try NPZFile(path: Self.minari("images.npz"))
    let folder = try TemporaryFolder()
    let path = hasMetadata ? root : folder.file("main_data.hdf5")
    if !hasMetadata {
      try FileManager.default.copyItem(atPath: "\(root)/data/main_data.hdf5", toPath: path)
    }
    // Without metadata a grey image of bytes cannot be told from numbers.
    let names = hasMetadata || name == "jpeg" ? ["top", "grey"] : ["top"]
    let read = try read(path) {
      $0.images = names
      $0.observations = ["state"]
    }
    #expect(read.stateSize == 2 && read.lengths == [3, 2] && read.cameras.map(\.name) == names)
    for images in read.images {
      let stored = try expected.storedTensor(named: "\(name)/\(images.camera.name)")
      let bytes = stored.withUnsafeBytes { Array($0) }
      #expect(images.camera.shape == [32, 44, images.camera.name == "top" ? 3 : 1])
      let differences = zip(images.bytes, bytes).map { abs(Int($0) - Int($1)) }
      #expect(differences.count == bytes.count && images.bytes.count == bytes.count)
      #expect((differences.max() ?? 0) <= (name == "raw" ? 0 : 3))
    }
    #expect(read.notes.contains { $0.contains("JPEG, which has lost") } == (name == "jpeg"))
    let prefixed = try self.read(root) { $0.images = ["observations/top"] }
    #expect(prefixed.images[0].bytes == read.images[0].bytes)
    #expect(prefixed.notes.contains { $0.hasPrefix("1 observation of images is not read") })
  }

  /// Images that all have the same length are an array in the file, and JPEG all the same.
  @Test func imagesOfMinariThatAreOneArray() throws {
    let read = try read(Self.minari("goal")) { $0.images = ["pixels"] }
    #expect(read.cameras == [Camera(name: "pixels", width: 40, height: 32)])
    // Of one brightness each, 50 times the episode.
    for (episode, steps) in read.steps.enumerated() {
      for step in steps {
        let samples = read.images[0].frames[step].samples
        #expect(samples.allSatisfy { abs(Int($0) - 50 * episode) <= 1 })
      }
    }
  }

  @Test func otherImagesOfMinariAreRefused() throws {
    let goal = Self.minari("goal")
    #expect(
      try refusal(goal) { $0.images = ["pixel"] }.contains(
        "'pixel': is no observation of the data set; demonstrations.images can name pixels"))
    #expect(
      try refusal(goal) { $0.images = ["observation"] }.contains("is an observation of numbers"))
    #expect(
      try refusal(Self.minari("box")) { $0.images = ["top"] }.contains("the data set has no images")
    )
    let only = try refusal(Self.minari("only")) { $0.images = ["observations"] }
    #expect(only.contains("observations are images alone (observations), and policies see"))
  }

  @Test func minariDataThatDoNotFitAreRefused() throws {
    let arrow = try refusal(Self.minari("arrow"))
    #expect(arrow.contains("'data_format': is 'arrow', expected 'hdf5'"), "\(arrow)")
    let discrete = try refusal(Self.minari("discrete"))
    #expect(discrete.contains("'action_space': is Discrete"), "\(discrete)")
    let broken = try refusal(Self.minari("broken"))
    #expect(broken.contains("'episode_1/observations': has shape [2, 3]"), "\(broken)")
    #expect(try read(Self.minari("broken")) { $0.episodeLimit = 1 }.lengths == [4])
    #expect(
      try refusal(Self.minari("box")) { $0.actionKey = "action" }.contains("no whole episode"))
  }

  @Test func namesAreInTheOrderOfSpaces() {
    let names = ["b/z", "b/_index_10", "b/_index_2", "a", "b/_index_2/x", "B"]
    #expect(
      MinariFile.sorted(names) == ["B", "a", "b/_index_2", "b/_index_2/x", "b/_index_10", "b/z"])
  }

  // MARK: Diffusion Policy

  @Test(arguments: ["v2", "v3", "v2.zarr.zip"])
  func agreesWithZarr(name: String) throws {
    func values(_ count: Int, _ number: Int) -> [Float] {
      (0..<count).map { Float(($0 * 7 + number) % 101) / 2 }
    }
    let read = try read(Self.zarr(name))
    #expect((read.stateSize, read.actionSize) == (5, 2) && read.lengths == [3, 4, 5, 8])
    #expect(read.states == values(100, 0) && read.actions == values(40, 1))
    #expect(read.rewards == values(20, 3) && !read.terminals.contains(true))
    #expect(
      read.notes == [
        "1 array of images is not read: img; demonstrations.images names those to read",
        "1 other array is not read: keypoint; demonstrations.observations names those to read",
      ])
    let keypoints = try self.read(Self.zarr(name)) {
      $0.observations = ["keypoint", "data/state"]
      $0.episodeLimit = 2
    }
    #expect(keypoints.stateSize == 23 && keypoints.lengths == [3, 4])
    #expect(Array(keypoints.states[..<18]) == Array(values(18, 2)))
    #expect(Array(keypoints.states[18..<23]) == Array(values(5, 0)))
    #expect(try refusal(Self.zarr(name)) { $0.observations = ["img"] }.contains("[20, 4, 4, 3]"))
  }

  @Test(arguments: ["v2", "v3", "v2.zarr.zip"])
  func imagesOfZarrAreRounded(name: String) throws {
    let images = try read(Self.zarr(name)) { $0.images = ["data/img"] }.images
    #expect(images.map(\.camera.name) == ["img"] && images[0].shape == [20, 1, 4, 4, 3])
    let stored = try ZarrFile(path: Self.zarr(name)).storedTensor(named: "data/img")
    #expect(images[0].bytes == Tensor(stored).elements.map { UInt8($0.rounded()) })
    #expect(try refusal(Self.zarr(name)) { $0.images = ["action"] }.contains("data/action"))
    #expect(
      try refusal(Self.zarr(name)) { $0.imageSize = [4, 4] }.contains("only lerobot files"))
  }

  @Test func numbersThatAreNoImagesAreRefused() throws {
    for values in [[0, 256], [-1, 7], [0, 1], [.nan, 7], [7, .nan]] as [[Float]] {
      let stored = StoredTensor(Tensor(shape: [2, 1, 1, 1], elements: values))
      #expect(throws: DemonstrationError.self, "\(values)") {
        try RecordedImages.rounded(stored, named: "img", path: "x.zarr")
      }
    }
  }

  @Test func episodeEndsAreChecked() throws {
    func changed(_ ends: [Int64]) throws -> String {
      let path = try DemonstrationGoldens.temporary("x.zarr")
      try FileManager.default.copyItem(atPath: Self.zarr("v2"), toPath: path)
      let bytes = ends.flatMap { number in withUnsafeBytes(of: number.littleEndian) { Array($0) } }
      try Data(bytes).write(to: URL(filePath: "\(path)/meta/episode_ends/0"))
      return path
    }
    let short = try read(changed([3, 3, 12, 18]))
    #expect(short.lengths == [3, 9, 6] && short.stepCount == 18)
    #expect(short.notes.contains("1 episode without steps: left out"))
    #expect(short.notes.contains("the last 2 steps belong to no whole episode: left out"))
    #expect(try refusal(changed([3, 2, 12, 20])).contains("end 1 is 2"))
    #expect(try refusal(changed([3, 7, 12, 21])).contains("at most 20"))
    #expect(try refusal(changed([-1, 7, 12, 20])).contains("end 0 is -1"))
    #expect(try refusal(changed([0, 0, 0, 0])).contains("no whole episode"))
    #expect(try refusal(Self.zarr("arrays3.zarr.zip")).contains("meta/episode_ends (zarr)"))
  }

  // MARK: Writing

  private func sample() -> Demonstrations {
    var result = Demonstrations(stateSize: 2, actionSize: 1)
    result.states = (0..<10).map { Float($0) / 4 }
    result.actions = (0..<5).map { -Float($0) }
    result.rewards = [0, 1, 0, 0, 2]
    result.terminals = [false, true, false, false, false]
    result.lengths = [2, 3]
    return result
  }

  private func options(_ rate: Double? = nil) -> DemonstrationOutput.Options {
    DemonstrationOutput.Options(framesPerSecond: rate, task: "count")
  }

  @Test(arguments: [true, false])
  func whatIsWrittenComesBack(hasRewards: Bool) throws {
    var sample = sample()
    if !hasRewards { sample.rewards = [] }
    for name in ["x.npz", "x.hdf5", "x.h5", "folder"] {
      let path = try DemonstrationGoldens.temporary(name)
      let kind = try #require(DemonstrationOutput(path: path))
      try kind.checkWritable(path)
      #expect(try kind.write(sample, to: path, options: options(20)) == [])
      let read = try read(path)
      #expect(read.states == sample.states && read.actions == sample.actions, "\(name)")
      #expect(read.rewards == sample.rewards && read.terminals == sample.terminals, "\(name)")
      #expect(read.lengths == sample.lengths && read.stateSize == 2, "\(name)")
      if kind == .lerobot {
        #expect(read.framesPerSecond == 20 && read.tasks == ["count", "count"])
        #expect(throws: FileError.self) { try kind.checkWritable(path) }
        #expect(throws: FileError.self) { try kind.write(sample, to: path, options: options(20)) }
      }
    }
  }

  @Test func conversionKeepsDataSets() throws {
    let original = try read(Repository.golden("RobotData/v21"))
    let folder = try DemonstrationGoldens.temporary("folder")
    _ = try DemonstrationOutput.lerobot.write(original, to: folder, options: options())
    let copy = try read(folder)
    #expect(copy.states == original.states && copy.actions == original.actions)
    #expect(copy.rewards == original.rewards && copy.terminals == original.terminals)
    #expect(copy.lengths == original.lengths && copy.tasks == original.tasks)
    #expect(copy.framesPerSecond == 10)
  }

  @Test func whatALayoutHasNoPlaceForIsNamed() throws {
    var sample = sample()
    sample.terminals[0] = true
    let path = try DemonstrationGoldens.temporary("x.hdf5")
    let notes = try DemonstrationOutput.hdf5.write(sample, to: path, options: options())
    #expect(notes.count == 1 && notes[0].hasPrefix("1 terminal before the last step"))
    #expect(try read(path).lengths == [2, 3])
    #expect(throws: DemonstrationError.noFrameRate(path: "y")) {
      try DemonstrationOutput.lerobot.write(sample, to: "y", options: options())
    }
    #expect(!FileManager.default.fileExists(atPath: "y"))
  }

  @Test func outputsAreToldByTheirNames() {
    let kinds: [(String, DemonstrationOutput?)] = [
      ("a/x.npz", .npz), ("x.NPZ", .npz), ("x.hdf5", .hdf5), ("x.h5", .hdf5), ("a.b/x", .lerobot),
      ("x.v1/", .lerobot), ("x", .lerobot), ("x.nzp", nil), ("x.parquet", nil), ("", nil),
      ("/", nil), ("x.", nil), (".npz", .npz),
    ]
    for (path, kind) in kinds { #expect(DemonstrationOutput(path: path) == kind, "\(path)") }
  }
}
