import Environments
import Files
import Foundation
import Tensors
import TestSupport
import Testing

@testable import DiffusionPolicies

@Suite struct DemonstrationNormalizationTests {
  private let demonstrations: Demonstrations
  private let normalization: DemonstrationNormalization

  init() throws {
    demonstrations = try Demonstrations(contentsOf: DemonstrationGoldens.path("dppo.npz"))
    normalization = DemonstrationNormalization(of: demonstrations)
  }

  @Test func agreesWithTheReference() throws {
    let read = try DemonstrationNormalization(
      contentsOf: DemonstrationGoldens.path("normalization.npz"))
    #expect(read == normalization)
    let expected = try NPZFile(path: DemonstrationGoldens.path("normalized.npz"))
    let states = normalization.observations.normalized(demonstrations.states)
    let actions = normalization.actions.normalized(demonstrations.actions)
    // The reference adds 1e-6 to ranges of about 5 to 20.
    let statesError = largestDifference(states, try expected.tensor(named: "states").elements)
    let actionsError = largestDifference(actions, try expected.tensor(named: "actions").elements)
    #expect(statesError <= 2e-6 && actionsError <= 2e-6)
    #expect(states.min() == -1 && states.max() == 1)
  }

  @Test func survivesTheFileAndJSON() throws {
    let path = try DemonstrationGoldens.temporary("normalization.npz")
    try normalization.write(to: path)
    #expect(
      try NPZFile(path: path).names == ["action_max", "action_min", "obs_max", "obs_min"])
    #expect(try DemonstrationNormalization(contentsOf: path) == normalization)
    let encoded = try JSONEncoder().encode(normalization)
    #expect(
      try JSONDecoder().decode(DemonstrationNormalization.self, from: encoded) == normalization)
  }

  /// An imported policy sees and acts as in the reference's environments, at every magnitude, bit
  /// for bit: a constant observation is -1, a constant action the constant.
  @Test func importedRangesFollowTheReferencesArithmetic() throws {
    let path = Repository.golden("DiffusionPolicies/normalization.npz")
    let imported = try DemonstrationNormalization(ofReference: path)
    let file = try NPZFile(path: path)
    func elements(_ name: String) throws -> [Float] { try file.tensor(named: name).elements }
    #expect(
      try imported.observations.normalized(elements("observations")) == elements("normalized"))
    #expect(try imported.actions.denormalized(elements("actions")) == elements("raw_actions"))
    let constants = imported.observations.constants
    #expect(constants.count == 51)
    let seen = imported.observations.normalized(imported.observations.minimum)
    #expect(constants.allSatisfy { seen[$0] == -1 })
    let acted = imported.actions.denormalized(Array(repeating: 0.7, count: seen.count))
    #expect(constants.allSatisfy { acted[$0] == imported.actions.minimum[$0] })
    // And after it was kept in a checkpoint.
    let kept = try JSONDecoder().decode(
      DemonstrationNormalization.self, from: JSONEncoder().encode(imported))
    #expect(kept == imported)
  }

  /// What the reference normalized, and a constant, which it makes -1.
  @Test func normalizedFilesAreTakenBack() throws {
    let file = try NPZFile(path: DemonstrationGoldens.path("normalized.npz"))
    var normalized = demonstrations
    normalized.states = try file.tensor(named: "states").elements
    normalized.actions = try file.tensor(named: "actions").elements
    let back = normalized.denormalized(by: normalization)
    #expect(largestDifference(back.states, demonstrations.states) <= 2e-6)
    #expect(largestDifference(back.actions, demonstrations.actions) <= 5e-7)

    // By the settings of a training.
    var settings = DemonstrationConfiguration()
    settings.path = try DemonstrationGoldens.temporary("normalized.npz")
    try normalized.write(to: settings.path)
    settings.normalization = DemonstrationGoldens.path("normalization.npz")
    let read = try settings.read(for: EnvironmentConfiguration())
    #expect(read.states == back.states && read.actions == back.actions)
    let others = try DemonstrationGoldens.temporary("others.npz")
    try DemonstrationNormalization(
      observations: MinMaxNormalization(minimum: [0], maximum: [1]),
      actions: normalization.actions
    ).write(to: others)
    settings.normalization = others
    #expect(throws: DemonstrationError.self) {
      try settings.read(for: EnvironmentConfiguration())
    }

    let ranges = MinMaxNormalization(minimum: [7], maximum: [7])
    var constant = DemonstrationGoldens.counting(lengths: [2])
    constant.states = [-1, -1]
    let taken = constant.denormalized(
      by: DemonstrationNormalization(
        observations: ranges, actions: MinMaxNormalization(minimum: [-1], maximum: [1])))
    #expect(taken.states == [7, 7])
  }

  @Test func constantsBecomeZero() throws {
    var constant = DemonstrationGoldens.counting(lengths: [3])
    constant.states = [7, 7, 7]
    var unmoved = constant
    unmoved.actions = [0.2, 0.2, 0.2]
    let still = try ChunkDataset(
      unmoved, normalization: DemonstrationNormalization(of: unmoved), historyLength: 1,
      chunkLength: 1)
    #expect(still.batch([0, 1, 2]).chunks.elements == [0, 0, 0])
    let normalization = DemonstrationNormalization(of: constant)
    #expect(normalization.observations.normalized([7, 7.5]) == [0, 0.5])
    let dataset = try ChunkDataset(
      constant, normalization: normalization, historyLength: 1, chunkLength: 1)
    #expect(dataset.batch([0, 1, 2]).observations.state.elements == [0, 0, 0])
    #expect(dataset.batch([0, 1, 2]).chunks.elements == [-1, 0, 1])
  }

  @Test func rangesThatAreNoneAreNamed() throws {
    func read(_ low: [Float], _ high: [Float]) throws -> DemonstrationNormalization {
      let path = try DemonstrationGoldens.temporary("normalization.npz")
      let tensors = [
        "obs_min": low, "obs_max": high, "action_min": [0], "action_max": [1],
      ]
      try NPZFile.write(tensors.mapValues { StoredTensor(Tensor($0)) }, to: path)
      return try DemonstrationNormalization(contentsOf: path)
    }
    #expect(try read([0, 1], [1, 1]).observations.size == 2)
    #expect(throws: DemonstrationError.self) { try read([0, 1], [1]) }
    #expect(throws: DemonstrationError.self) { try read([0, 1], [1, .nan]) }
    let error = #expect(throws: DemonstrationError.self) { try read([0, 2], [1, 1]) }
    #expect(error?.description.contains("'obs_max': component 1 is 1.0") == true)
    #expect(throws: FileError.self) {
      try DemonstrationNormalization(contentsOf: DemonstrationGoldens.path("dppo.npz"))
    }
  }
}
