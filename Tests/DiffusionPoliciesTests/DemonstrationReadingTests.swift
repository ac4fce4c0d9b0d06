import Files
import Tensors
import Testing

@testable import DiffusionPolicies

@Suite struct DemonstrationReadingTests {
  private func golden(_ name: String) throws -> NPZFile {
    try NPZFile(path: DemonstrationGoldens.path(name))
  }

  @Test(arguments: [DemonstrationFormat.automatic, .dppo])
  func readsDPPO(_ format: DemonstrationFormat) throws {
    let path = DemonstrationGoldens.path("dppo.npz")
    let read = try Demonstrations(contentsOf: path, format: format)
    let file = try NPZFile(path: path)
    #expect((read.stateSize, read.actionSize, read.stepCount) == (3, 2, 23))
    #expect(read.states == (try file.tensor(named: "states").elements))
    #expect(read.actions == (try file.tensor(named: "actions").elements))
    #expect(read.rewards == (try file.tensor(named: "rewards").elements))
    let terminals = try file.tensor(named: "terminals").elements
    #expect(read.terminals == terminals.map { $0 != 0 } && read.terminals.contains(true))
    #expect(read.lengths == [7, 3, 4, 9] && read.returns.count == 4)
    #expect(read.notes == ["1 other array is not read: images"])
  }

  @Test(arguments: [DemonstrationFormat.automatic, .robomimic])
  func readsRobomimic(_ format: DemonstrationFormat) throws {
    let path = DemonstrationGoldens.path("robomimic.hdf5")
    let read = try Demonstrations(contentsOf: path, format: format)
    let expected = try golden("robomimic-expected.npz")
    #expect((read.stateSize, read.actionSize) == (9, 2))
    #expect(read.states == (try expected.tensor(named: "states").elements))
    #expect(read.actions == (try expected.tensor(named: "actions").elements))
    #expect(read.rewards == (try expected.tensor(named: "rewards").elements))
    #expect(read.terminals == (try expected.integers(named: "terminals").map { $0 != 0 }))
    #expect(read.lengths == (try expected.integers(named: "traj_lengths")))
    #expect(read.returns == (0..<11).map { Double($0) })
    #expect(read.notes.count == 2 && read.notes[0].hasPrefix("1 mask is not read: train;"))
    #expect(read.notes[1].hasPrefix("1 observation is not read: agentview_image;"))
  }

  @Test func joinsTheChosenObservationsInOrder() throws {
    let path = DemonstrationGoldens.path("robomimic.hdf5")
    let whole = try Demonstrations(contentsOf: path)
    let read = try Demonstrations(
      contentsOf: path, observations: ["object", "robot0_eef_pos"], episodeLimit: 3)
    #expect(read.stateSize == 7 && read.lengths == [2, 3, 4])
    for step in 0..<9 {
      let row = Array(whole.states[step * 9..<(step + 1) * 9])
      #expect(Array(read.states[step * 7..<(step + 1) * 7]) == Array(row[5...] + row[..<3]))
    }
    let error = #expect(throws: FileError.self) {
      try Demonstrations(contentsOf: path, observations: ["objct"])
    }
    #expect(error?.item == "data/demo_0/obs/objct")
    #expect(
      throws: DemonstrationError.shape(
        path: path, tensor: "data/demo_0/obs/agentview_image", found: [2, 2, 2, 3],
        expected: "[2, size]")
    ) { try Demonstrations(contentsOf: path, observations: ["agentview_image"]) }
  }

  @Test(arguments: [DemonstrationFormat.automatic, .d4rl])
  func readsD4RL(_ format: DemonstrationFormat) throws {
    let path = DemonstrationGoldens.path("d4rl.hdf5")
    let read = try Demonstrations(contentsOf: path, format: format)
    let expected = try golden("d4rl-expected.npz")
    #expect(read.states == (try expected.tensor(named: "observations").elements))
    #expect(read.actions == (try expected.tensor(named: "actions").elements))
    #expect(read.rewards == (try expected.tensor(named: "rewards").elements))
    #expect(read.lengths == [4, 3, 1] && read.returns == [6, 15, 7])
    #expect(read.terminals == [false, false, false, true, false, false, false, true])
    #expect(
      read.notes == [
        "the last 2 steps belong to no whole episode: left out",
        "1 other tensor is not read: infos/qpos",
      ])
    let limited = try Demonstrations(contentsOf: path, format: format, episodeLimit: 2)
    #expect(limited.lengths == [4, 3] && limited.states == Array(read.states[..<21]))
  }

  @Test func readsWhatItWrites() throws {
    var demonstrations = DemonstrationGoldens.counting(lengths: [2, 3], returns: [1, 2])
    for hasRewards in [true, false] {
      if !hasRewards { demonstrations.rewards = [] }
      let path = try DemonstrationGoldens.temporary("demonstrations.npz")
      try demonstrations.write(to: path)
      let read = try Demonstrations(contentsOf: path)
      #expect(read.states == demonstrations.states && read.actions == demonstrations.actions)
      #expect(read.rewards == demonstrations.rewards && read.lengths == [2, 3])
      #expect(read.terminals == demonstrations.terminals)
      #expect(read.returns == (hasRewards ? [1, 2] : []) && read.stepCount == 5)
    }
  }

  @Test func readsPushT() throws {
    guard let path = DemonstrationGoldens.pushT else { return }
    let read = try Demonstrations(contentsOf: path)
    #expect((read.stateSize, read.actionSize, read.stepCount) == (5, 2, 25_650))
    #expect(read.lengths.count == 206 && read.lengths.reduce(0, +) == 25_650)
    #expect(read.rewards.isEmpty && read.returns.isEmpty)
    #expect(read.notes.contains { $0.contains("'rewards'") })
    let keypoints = try Demonstrations(
      contentsOf: path, observations: ["keypoints", "states"], episodeLimit: 2)
    #expect(keypoints.stateSize == 23 && keypoints.stepCount == 161 + 118)
    #expect(Array(keypoints.states[18..<23]) == Array(read.states[..<5]))
  }
}
