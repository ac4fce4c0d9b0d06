import Configuration
import Environments
import Files
import Foundation
import RobotData
import Tensors
import TestSupport
import Testing

@testable import DiffusionPolicies

/// Data sets that LeRobot wrote (`Goldens/RobotData/make_lerobot.py`) as demonstrations.
@Suite struct LeRobotDemonstrationTests {
  private static let folders = ["v21", "v30"].map { Repository.golden("RobotData/\($0)") }

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

  /// What reading a path throws, as text.
  private func refusal(
    _ path: String, _ change: (inout DemonstrationConfiguration) -> Void = { _ in }
  ) throws -> String {
    let error = #expect(throws: (any Error).self) { try read(path, change) }
    return "\(try #require(error))"
  }

  /// A copy of a golden data set.
  private func copy(_ golden: String) throws -> String {
    let path = try DemonstrationGoldens.temporary("data-set")
    try FileManager.default.copyItem(atPath: golden, toPath: path)
    return path
  }

  @Test(arguments: folders)
  func agreesWithPyarrow(_ folder: String) throws {
    let read = try read(folder)
    let expected = try NPZFile(path: folder + ".npz")
    func rows(_ name: String) throws -> [[Float]] {
      try (0..<4).map { try expected.tensor(named: "\($0)/\(name)").elements }
    }
    #expect((read.stateSize, read.actionSize) == (7, 2))
    #expect(read.lengths == [5, 3, 6, 4] && read.framesPerSecond == 10)
    let states = try rows("observation.state")
    let others = try rows("observation.environment_state")
    var joined: [Float] = []
    for (episode, length) in read.lengths.enumerated() {
      for step in 0..<length {
        joined += states[episode][step * 3..<step * 3 + 3]
        joined += others[episode][step * 4..<step * 4 + 4]
      }
    }
    #expect(read.states == joined)
    #expect(read.actions == (try rows("action").flatMap { $0 }))
    #expect(read.rewards == (try rows("next.reward").flatMap { $0 }))
    #expect(read.terminals == (try rows("next.done").flatMap { $0.map { $0 != 0 } }))
    #expect(read.terminals.count { $0 } == 4)
    #expect(read.tasks == ["blue", "red", "blue", "red"].map { "push the \($0) block" })
    #expect(
      read.notes == [
        "2 features of images are not read: observation.images.top, observation.images.wrist; "
          + "demonstrations.images names those to read",
        "1 other feature is not read: gripper; demonstrations.observations names those to read",
        "episodes of 2 tasks are learned alike: the policy does not see which",
      ])
  }

  @Test(arguments: folders)
  func imagesAreThoseOfTheDataSet(_ folder: String) throws {
    let names = ["observation.images.wrist", "observation.images.top"]
    let read = try read(folder) {
      $0.images = names
      $0.episodeLimit = 3
    }
    #expect(read.cameras.map(\.shape) == [[16, 24, 3], [64, 96, 3]])
    #expect(read.cameras.map(\.name) == names && read.lengths == [5, 3, 6])
    let dataset = try LeRobotDataset(folder: folder)
    for (images, name) in zip(read.images, names) {
      let expected = try dataset.episodes.prefix(3).flatMap { episode in
        try dataset.images(of: name, in: episode).withUnsafeBytes { Array($0) }
      }
      #expect(images.bytes == expected, "\(name)")
    }
    #expect(!read.notes.contains { $0.contains("images") }, "\(read.notes)")
    let small = try self.read(folder) {
      $0.images = [names[1]]
      $0.imageSize = [12, 8]
    }
    #expect(small.cameras.map(\.shape) == [[8, 12, 3]] && small.images[0].count == 18)
    #expect(
      try refusal(folder) { $0.images = ["observation.state"] }.contains("observation.state"))
    #expect(try refusal(folder) { $0.imageSize = [12] }.contains("imageSize"))
  }

  @Test func partsAreChosenByName() throws {
    let read = try read(Self.folders[1]) {
      $0.observations = ["gripper", "observation.state"]
      $0.actionKey = "next.reward"
      $0.episodeLimit = 2
    }
    #expect((read.stateSize, read.actionSize) == (4, 1) && read.lengths == [5, 3])
    #expect(Array(read.states[4..<8]) == [Float(1 << 40), 0, 1, 1])
    #expect(read.actions == read.rewards)
    #expect(try refusal(Self.folders[0]) { $0.actionKey = "acton" }.contains("'action'?"))
    let images = try refusal(Self.folders[0]) { $0.observations = ["observation.images.top"] }
    #expect(images.contains("has images of shape [64, 96, 3], and observations are numbers"))
    #expect(
      try refusal(Self.folders[0]) { $0.filterKey = "train" }.contains("only robomimic files"))
  }

  @Test func foldersThatAreNoDataSetNameOne() throws {
    let golden = Repository.golden("RobotData")
    let outer = try refusal(golden)
    #expect(outer.contains("no known data set; name a data set in it: \(Self.folders[0]), "))
    for part in ["", "/chunk-000"] {
      let inner = try refusal("\(Self.folders[1])/data\(part)")
      #expect(inner.contains("name the data set that it is in: "), "\(inner)")
      #expect(inner.hasSuffix("RobotData/v30"), "\(inner)")
    }
    let table = try refusal("\(Self.folders[1])/data/chunk-000/file-000.parquet")
    #expect(table.contains("folder"), "\(table)")
  }

  @Test func unfinishedRecordingsAreToldSo() throws {
    let withoutInfo = try copy(Self.folders[1])
    try FileManager.default.removeItem(atPath: "\(withoutInfo)/meta/info.json")
    #expect(try refusal(withoutInfo).contains("a recording that was not finished"))
    let withoutList = try copy(Self.folders[1])
    try FileManager.default.removeItem(atPath: "\(withoutList)/meta/episodes")
    #expect(try refusal(withoutList).contains("finalize()"))
    let cut = try copy(Self.folders[1])
    let table = URL(filePath: "\(cut)/data/chunk-000/file-000.parquet")
    try Data(contentsOf: table).prefix(9_000).write(to: table)
    #expect(try refusal(cut).contains("unfinished recording"))
    let withoutData = try copy(Self.folders[1])
    try FileManager.default.removeItem(atPath: "\(withoutData)/data")
    #expect(try refusal(withoutData).contains("no whole episode"))
  }

  /// Two episodes, the second of which succeeds in its last step.
  private func writeSuccesses(features: [LeRobotFeature]) throws -> String {
    let folder = try DemonstrationGoldens.temporary("successes")
    var writer = try LeRobotWriter(folder: folder, features: features, framesPerSecond: 20)
    for episode in 0..<2 {
      var values = [
        "observation.state": StoredTensor(Tensor(shape: [2, 3], elements: [1, 2, 3, 4, 5, 6])),
        "action": StoredTensor(Tensor(shape: [2, 2], elements: [1, 2, 3, 4])),
        "next.success": StoredTensor(shape: [2, 1], booleans: [false, episode == 1]),
        "next.done": StoredTensor(shape: [2, 1], booleans: [false, true]),
      ]
      values = values.filter { name, _ in features.contains { $0.name == name } }
      try writer.addEpisode(values, task: "")
    }
    try writer.finish()
    return folder
  }

  @Test func successesEndAndReward() throws {
    let numbers = [
      LeRobotFeature("observation.state", shape: [3]), LeRobotFeature("action", shape: [2]),
    ]
    let both = try read(
      writeSuccesses(
        features: numbers + [
          LeRobotFeature("next.success", .bool, shape: [1]),
          LeRobotFeature("next.done", .bool, shape: [1]),
        ]))
    #expect(both.rewards == [0, 0, 0, 1] && both.terminals == [false, false, false, true])
    #expect(both.notes.contains("no 'next.reward': the reward of a step is its 'next.success'"))
    let neither = try read(writeSuccesses(features: numbers))
    #expect(neither.rewards.isEmpty && neither.terminals == [false, false, false, false])
    #expect(neither.notes.contains("no 'next.reward': returns are not known"))
  }

  @Test func policiesLearnFromThem() throws {
    var policy = PolicyConfiguration()
    policy.environment.name = "none"
    policy.network.hiddenSizes = [16, 16, 16]
    policy.horizonSteps = 2
    policy.actionSteps = 2
    policy.denoising.stepCount = 4
    var demonstrations = DemonstrationConfiguration()
    demonstrations.path = Self.folders[0]
    demonstrations.morePaths = [Self.folders[1]]
    var settings = PretrainingConfiguration()
    settings.batchCount = 2
    let training = try Pretraining(
      policy: policy, configuration: settings, demonstrations: demonstrations, seed: 1)
    _ = try training.step()
    // An episode of n steps has n - 1 chunks.
    #expect(training.dataset.count == 2 * (4 + 2 + 5 + 3))
    for folder in Self.folders {
      #expect(training.notes.count { $0.hasPrefix("\(folder): ") } == 3, "\(training.notes)")
    }
  }
}

/// Several files and folders in one training.
@Suite struct SeveralDemonstrationsTests {
  private func read(
    _ paths: [String], _ change: (inout DemonstrationConfiguration) -> Void = { _ in }
  ) throws -> Demonstrations {
    var settings = DemonstrationConfiguration()
    settings.path = paths[0]
    settings.morePaths = Array(paths.dropFirst())
    change(&settings)
    try settings.validate()
    var environment = EnvironmentConfiguration()
    environment.name = "none"
    return try settings.read(for: environment)
  }

  private func write(_ demonstrations: Demonstrations) throws -> String {
    let path = try DemonstrationGoldens.temporary("part.npz")
    try demonstrations.write(to: path)
    return path
  }

  @Test func filesFollowOneAnother() throws {
    let first = try write(DemonstrationGoldens.counting(lengths: [2, 3], returns: [1, 2]))
    let second = try write(DemonstrationGoldens.counting(lengths: [4], returns: [3]))
    let both = try read([first, second])
    #expect(both.lengths == [2, 3, 4] && both.returns == [1, 2, 3])
    #expect(both.states == [0, 1, 2, 3, 4, 0, 1, 2, 3] && both.notes.isEmpty)
    let unrewarded = try write(DemonstrationGoldens.counting(lengths: [1, 1]))
    let mixed = try read([first, unrewarded])
    #expect(mixed.rewards.isEmpty)
    #expect(mixed.notes.contains { $0.contains("no rewards in \(unrewarded)") })
    let limited = try read([first, second, unrewarded]) { $0.episodeLimit = 3 }
    #expect(limited.lengths == [2, 3, 4])
    #expect(limited.notes.contains { $0.hasPrefix("\(unrewarded): not read") })
    #expect(try read([first, second]) { $0.episodeLimit = 1 }.lengths == [2])
  }

  @Test func masksHoldForEachFile() throws {
    let masks = DemonstrationGoldens.path("masks.hdf5")
    let copy = try DemonstrationGoldens.temporary("masks.hdf5")
    try FileManager.default.copyItem(atPath: masks, toPath: copy)
    let both = try read([masks, copy])
    #expect(both.lengths == [2, 3, 4, 5, 2, 3, 4, 5] && both.validationEpisodes == [1, 5])
    // The limit is on what is trained on, of both together.
    let limited = try read([masks, copy]) { $0.episodeLimit = 4 }
    #expect(limited.lengths == [2, 3, 4, 5, 2, 3] && limited.validationEpisodes == [1, 5])
  }

  @Test func otherSizesAreRefused() throws {
    let first = try write(DemonstrationGoldens.counting(lengths: [2]))
    let second = DemonstrationGoldens.path("dppo.npz")
    let error = #expect(throws: DemonstrationError.self) { try read([first, second]) }
    let text = "\(try #require(error))"
    #expect(text.contains(second) && text.contains("as in \(first)"), "\(text)")
    #expect(text.contains("expected 1 and 1"), "\(text)")
    let twice = #expect(throws: ConfigurationError.self) { try read([first, first]) }
    #expect("\(try #require(twice))".contains("morePaths"))
    #expect(throws: ConfigurationError.self) { try read([first, ""]) }
  }
}
