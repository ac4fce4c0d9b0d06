import Testing

@testable import Environments

/// Save, step, restore, step again: the same bits.
@Suite struct SaveRestoreTests {
  static let names = EnvironmentRegistry.standard.entries.map(\.name)

  @Test(arguments: names)
  func restoredStatesGoOnBitByBit(name: String) throws {
    let environment = try EnvironmentRegistry.standard.make(name)
    let fresh = try EnvironmentRegistry.standard.make(name)
    let actions = RandomActions(space: environment.actionSpace, seed: 1)
    environment.reset(seed: 4)
    // Falling ends nothing here: what comes after must be exact too.
    for step in 0..<25 { environment.step(actions[step]) }
    let saved = environment.savedState()
    let first = rollOut(environment, actions)
    #expect(environment.savedState() != saved)
    for copy in [environment, fresh] {
      try copy.restore(saved)
      #expect(copy.savedState() == saved)
      #expect(rollOut(copy, actions) == first)
    }
  }

  private func rollOut(_ environment: any Environment, _ actions: RandomActions) -> [UInt32] {
    var bits = environment.observation.map(\.bitPattern)
    for step in 25..<75 {
      let outcome = environment.step(actions[step])
      bits += environment.observation.map(\.bitPattern)
      bits += [
        outcome.reward.bitPattern, outcome.isTerminated ? 1 : 0, outcome.isTruncated ? 1 : 0,
      ]
    }
    return bits
  }

  /// Chipmunk remembers contacts: a saved state must bring back the push that is under way.
  @Test func pushTIsExactInTheMiddleOfAPush() throws {
    let golden = try Goldens.array("push-t-steps.npy")
    let environment = PushTEnvironment()
    environment.reset(.state(Array(try Goldens.array("push-t-initial.npy")[1])))
    func play(_ steps: Range<Int>) -> [UInt64] {
      steps.flatMap { step -> [UInt64] in
        let row = Array(golden[1, step])
        environment.step([Float(row[0]), Float(row[1])])
        return environment.state.map(\.bitPattern)
      }
    }
    _ = play(0..<15)
    let saved = environment.savedState()
    let before = environment.state
    let first = play(15..<45)
    #expect(abs(environment.state[2] - before[2]) > 1)
    try environment.restore(saved)
    #expect(play(15..<45) == first)
  }

  @Test(arguments: names)
  func statesOfOthersAreRefused(name: String) throws {
    let environment = try EnvironmentRegistry.standard.make(name)
    for other in Self.names where other != name {
      let state = try EnvironmentRegistry.standard.make(other).savedState()
      #expect(throws: EnvironmentError.self) { try environment.restore(state) }
    }
    let saved = environment.savedState()
    let longer = EnvironmentState(words: saved.words + [0])
    #expect(throws: EnvironmentError.self) { try environment.restore(longer) }
    try environment.restore(saved)
  }
}
