import Environments
import Files
import Tensors
import Testing

@testable import DiffusionPolicies

/// Files as robomimic, MimicGen, Isaac Lab and early D4RL write them. Component i of step t of
/// episode e is 100 e + 10 i + t, negative for actions.
@Suite struct DemonstrationLayoutTests {
  private static let masks = DemonstrationGoldens.path("masks.hdf5")
  private static let isaac = DemonstrationGoldens.path("isaac.hdf5")

  /// Reads by the settings of a training.
  private func read(
    _ path: String, _ change: (inout DemonstrationConfiguration) -> Void = { _ in }
  ) throws -> Demonstrations {
    var settings = DemonstrationConfiguration()
    settings.path = path
    change(&settings)
    try settings.validate()
    try settings.check(horizonSteps: 4)
    return try settings.read(for: EnvironmentConfiguration())
  }

  /// The number of the episode that each part begins with, by its first state.
  private func numbers(_ demonstrations: Demonstrations) -> [Int] {
    demonstrations.steps.map {
      Int(demonstrations.states[$0.lowerBound * demonstrations.stateSize] / 100)
    }
  }

  private func expectNote(
    _ demonstrations: Demonstrations, _ text: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(
      demonstrations.notes.contains { $0.contains(text) }, "\(demonstrations.notes)",
      sourceLocation: sourceLocation)
  }

  @Test func masksSplitByThemselves() throws {
    let read = try read(Self.masks)
    #expect(numbers(read) == [0, 1, 2, 3] && read.lengths == [2, 3, 4, 5])
    #expect(read.validationEpisodes == [1])
    expectNote(
      read,
      "mask 'train' has 3 episodes to train on, mask 'valid' has 1 episode for validation, "
        + "1 other episode left out")
    expectNote(read, "4 other masks are not read: 20_percent, empty, other_file, valid_too")
    expectNote(read, "filterKey=none")
    var random = RandomStream(seed: 1)
    let split = try EpisodeSplit(
      read, chunkLength: 2, padding: .none, validationFraction: 0, random: &random)
    #expect(numbers(split.training) == [0, 2, 3] && numbers(split.validation) == [1])
  }

  @Test func masksAreChosenByName() throws {
    let all = try read(Self.masks) { $0.filterKey = "none" }
    #expect(numbers(all) == [0, 1, 2, 3, 4] && all.validationEpisodes.isEmpty)
    expectNote(all, "6 masks are not read")
    let fraction = try read(Self.masks) { $0.validationFraction = 0.2 }
    #expect(numbers(fraction) == [0, 1, 2, 3, 4] && fraction.validationEpisodes.isEmpty)
    expectNote(fraction, "6 masks are not read")
    let one = try read(Self.masks) { $0.filterKey = "20_percent" }
    #expect(numbers(one) == [3] && one.validationEpisodes.isEmpty)
    expectNote(one, "4 other episodes left out")
    let rest = try read(Self.masks) { $0.validationFilterKey = "valid_too" }
    #expect(numbers(rest) == [0, 1, 2, 3, 4] && rest.validationEpisodes == [1, 3])
    // The limit is on what is trained on.
    let limited = try read(Self.masks) { $0.episodeLimit = 2 }
    #expect(numbers(limited) == [0, 1, 2] && limited.validationEpisodes == [1])
  }

  @Test func wrongMasksAreNamed() throws {
    #expect(
      throws: DemonstrationError.noMask(
        path: Self.masks, mask: "trian",
        available: ["20_percent", "empty", "other_file", "train", "valid", "valid_too"])
    ) { try read(Self.masks) { $0.filterKey = "trian" } }
    let unknown = #expect(throws: DemonstrationError.self) {
      try read(Self.masks) { $0.filterKey = "other_file" }
    }
    #expect("\(try #require(unknown))".contains("'mask/other_file': names 'demo_17'"))
    #expect(
      throws: DemonstrationError.noEpisodes(
        path: Self.masks, reason: "masks choose none of its 5 episodes")
    ) { try read(Self.masks) { $0.filterKey = "empty" } }
    let both = #expect(throws: DemonstrationError.self) {
      try read(Self.masks) {
        $0.filterKey = "train"
        $0.validationFilterKey = "valid_too"
      }
    }
    #expect("\(try #require(both))".contains("names 'demo_3', which is in 'train' too"))
    let npz = DemonstrationGoldens.path("dppo.npz")
    #expect(
      throws: DemonstrationError.notInFormat(
        path: npz, setting: "filterKey", value: "train", format: .robomimic)
    ) { try read(npz) { $0.filterKey = "train" } }
    #expect(throws: (any Error).self) {
      try read(Self.masks) {
        $0.validationFilterKey = "valid"
        $0.validationFraction = 0.1
      }
    }
  }

  @Test func actionsMayHaveAnotherName() throws {
    let read = try read(Self.masks) { $0.actionKey = "actions_abs" }
    #expect(read.actionSize == 3 && Array(read.actions[..<3]) == [-20, -30, -40])
    expectNote(read, "actions,")
    expectNote(read, "'actions_abs' are goals, but the controller in env_args takes changes")
    let plain = try self.read(Self.masks)
    #expect(plain.actionSize == 2 && Array(plain.actions[..<4]) == [0, -10, -1, -11])
    expectNote(plain, "actions_abs")
    #expect(!plain.notes.contains { $0.contains("are goals") })
  }

  @Test func whatIsNotTakenIsNamed() throws {
    let read = try read(Self.masks)
    expectNote(read, "1 observation is not read: object-state")
    expectNote(read, "3 other tensors are not read: actions_abs, next_obs/object, states")
    expectNote(read, "recorded in 'Lift' (env_args); the policy is for 'hopper'")
    #expect(read.recordedEnvironment == "Lift")
  }

  @Test func textsAndObjectsAreLeftAlone() throws {
    let read = try read(DemonstrationGoldens.path("texts.npz"))
    #expect(read.lengths == [2, 1] && read.states == [0, 10, 1, 11, 2, 12])
    expectNote(read, "2 other arrays are not read: meta, tasks")
  }

  @Test func recordingsOfIsaacLab() throws {
    let read = try read(Self.isaac) { $0.observations = ["eef_pos", "object", "joint_pos"] }
    #expect((read.stateSize, read.actionSize) == (6, 2) && read.lengths == [3, 2])
    #expect(Array(read.states[6..<12]) == [1, 11, 21, 31, 41, 51])
    #expect(read.actions == [0, -10, -1, -11, -2, -12, -300, -310, -301, -311])
    #expect(read.rewards.isEmpty && read.terminals == [Bool](repeating: false, count: 5))
    expectNote(read, "2 episodes without steps: left out")
    expectNote(read, "no 'rewards' in 2 of 2 episodes: returns are not known")
    expectNote(
      read, "'data/demo_0/actions' and 5 other tensors: shape [3, 1, 2] is read as [3, 2]")
    expectNote(read, "1 episode marked as failures")
    let usual = try self.read(Self.isaac)
    #expect(usual.stateSize == 1)
    expectNote(usual, "2 observations are not read: eef_pos, joint_pos")
  }

  @Test func earlyD4RL() throws {
    let path = DemonstrationGoldens.path("d4rl-no-timeouts.hdf5")
    let hopper = try read(path)
    #expect(hopper.lengths == [5])
    expectNote(hopper, "after 1000 steps, the time limit of 'hopper'")
    expectNote(hopper, "the last 7 steps belong to no whole episode")
    expectNote(hopper, "1 other tensor is not read: infos/qpos")
    let limited = try read(path) { $0.maxEpisodeSteps = 3 }
    #expect(limited.lengths == [3, 2, 3, 3] && limited.states.count == 22)
    #expect(limited.terminals.indices.filter { limited.terminals[$0] } == [4])
    expectNote(limited, "or after 3 steps")
    expectNote(limited, "the last 1 step ")
    let alone = try Demonstrations(contentsOf: path)
    #expect(alone.lengths == [5])
    expectNote(alone, "a terminal alone; demonstrations.maxEpisodeSteps")

    let timeouts = try read(DemonstrationGoldens.path("d4rl-timeouts-only.hdf5"))
    #expect(timeouts.lengths == [5] && timeouts.rewards.isEmpty)
    #expect(timeouts.stateSize == 2 && !timeouts.terminals.contains(true))
    expectNote(timeouts, "no 'rewards'")
    expectNote(timeouts, "no 'terminals'")
    expectNote(timeouts, "'observations': shape [12, 1, 2] is read as [12, 2]")
    #expect(
      throws: DemonstrationError.notInFormat(
        path: Self.masks, setting: "maxEpisodeSteps", value: "3", format: .d4rl)
    ) { try read(Self.masks) { $0.maxEpisodeSteps = 3 } }
  }
}
