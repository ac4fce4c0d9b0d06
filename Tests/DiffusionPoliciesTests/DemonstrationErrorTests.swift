import Files
import Tensors
import Testing

@testable import DiffusionPolicies

@Suite struct DemonstrationErrorTests {
  /// Reads three steps in two episodes, with changes.
  private func read(
    changing change: (inout [String: StoredTensor]) -> Void
  ) throws -> (path: String, result: Result<Demonstrations, any Error>) {
    var tensors = [
      "states": StoredTensor(Tensor(shape: [3, 2], elements: [1, 2, 3, 4, 5, 6])),
      "actions": StoredTensor(Tensor(shape: [3, 1], elements: [1, 2, 3])),
      "traj_lengths": StoredTensor(shape: [2], integers: [2, 1]),
    ]
    change(&tensors)
    let path = try DemonstrationGoldens.temporary("broken.npz")
    try NPZFile.write(tensors, to: path)
    return (path, Result { try Demonstrations(contentsOf: path) })
  }

  /// Expects an error, and every part of it in its text.
  private func expectError(
    _ parts: [String], changing change: (inout [String: StoredTensor]) -> Void
  ) throws {
    let (path, result) = try read(changing: change)
    let error = #expect(throws: (any Error).self) { try result.get() }
    let text = error.map { "\($0)" } ?? ""
    for part in [path] + parts { #expect(text.contains(part), "\(text)") }
  }

  @Test func validFilesAreRead() throws {
    #expect(try read { _ in }.result.get().lengths == [2, 1])
  }

  @Test func brokenArraysAreNamed() throws {
    try expectError(["'states'", "[2, 3]", "[3, 3]"]) {
      $0["states"] = StoredTensor(Tensor.zeros([2, 3]))
    }
    try expectError(["'actions'", "[3]", "size"]) {
      $0["actions"] = StoredTensor(Tensor([1, 2, 3]))
    }
    try expectError(["'rewards'", "[2]", "[3]"]) { $0["rewards"] = StoredTensor(Tensor([1, 2])) }
    try expectError(["'states'", "nan", "row 2", "column 1"]) {
      $0["states"] = StoredTensor(Tensor(shape: [3, 2], elements: [1, 2, 3, 4, 5, .nan]))
    }
    // Finite in double precision alone.
    try expectError(["'actions'", "inf", "row 1"]) {
      $0["actions"] = StoredTensor(shape: [3, 1], doubles: [1, 1e300, 1])
    }
    try expectError(["'states'"]) { $0["states"] = nil }
    try expectError(["found states, traj_lengths"]) { $0["actions"] = nil }
  }

  @Test func impossibleLengthsAreNamed() throws {
    func lengths(_ values: [Int]) -> (inout [String: StoredTensor]) -> Void {
      { $0["traj_lengths"] = StoredTensor(shape: [values.count], integers: values) }
    }
    try expectError(["'traj_lengths'", "adds up to 2", "3"], changing: lengths([1, 1]))
    try expectError(["'traj_lengths'", "episode 1", "-1 steps"], changing: lengths([2, -1]))
    try expectError(["'traj_lengths'", "episode 0"], changing: lengths([.max, .max]))
    try expectError(["no whole episode"], changing: lengths([]))
    try expectError(["'traj_lengths'", "float32", "integers"]) {
      $0["traj_lengths"] = StoredTensor(Tensor([2, 1]))
    }
    try expectError(["no whole episode", "0 rows"]) {
      $0["states"] = StoredTensor(Tensor.zeros([0, 2]))
      $0["actions"] = StoredTensor(Tensor.zeros([0, 1]))
    }
  }

  @Test func episodesWithoutStepsAreLeftOut() throws {
    let read = try read {
      $0["traj_lengths"] = StoredTensor(shape: [4], integers: [2, 0, 1, 0])
    }.result.get()
    #expect(read.lengths == [2, 1] && read.stepCount == 3)
    #expect(read.notes.contains("2 episodes without steps: left out"))
  }

  @Test func brokenHDF5IsNamed() throws {
    let path = DemonstrationGoldens.path("robomimic-nan.hdf5")
    #expect(
      throws: DemonstrationError.notFinite(
        path: path, tensor: "data/demo_1/actions", row: 2, column: 1, value: "nan")
    ) { try Demonstrations(contentsOf: path) }
    #expect(try Demonstrations(contentsOf: path, episodeLimit: 1).lengths == [3])
    let endless = DemonstrationGoldens.path("d4rl-endless.hdf5")
    #expect(
      throws: DemonstrationError.noEpisodes(
        path: endless,
        reason: "no step is marked in 'terminals' or 'timeouts'; "
          + "set demonstrations.maxEpisodeSteps to the steps of an episode")
    ) { try Demonstrations(contentsOf: endless) }
    let unknown = DemonstrationGoldens.path("unknown.hdf5")
    #expect(throws: DemonstrationError.unknownFormat(path: unknown, names: ["temperatures"])) {
      try Demonstrations(contentsOf: unknown)
    }
    #expect(throws: DemonstrationError.self) {
      try Demonstrations(contentsOf: unknown, format: .robomimic)
    }
    #expect(throws: FileError.self) { try Demonstrations(contentsOf: unknown, format: .d4rl) }
    #expect(throws: FileError.self) { try Demonstrations(contentsOf: unknown, format: .dppo) }
    #expect(throws: FileError.self) { try Demonstrations(contentsOf: unknown + ".missing") }
  }
}
