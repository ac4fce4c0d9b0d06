import NeuralNetworks
import Tensors
import Testing

@testable import ReinforcementLearning

/// The replay buffer by what critics would learn from it.
@Suite struct ReplayBufferTests {
  /// How an episode of the chain ends: 0, 1, 2 in order, which earn 1, 2 and 3.
  private enum End {
    case termination, timeOut
  }

  private static let gamma = 0.9

  private func oneHot(_ state: Int) -> [Float] { (0..<3).map { $0 == state ? 1 : 0 } }

  /// Episodes of a chain in two environments, of which the second is one state ahead; what a time-out
  /// reaches is state 0 again.
  private func chain(_ end: End, decisions: Int = 12, capacity: Int = 1000) -> ReplayBuffer {
    var buffer = ReplayBuffer(
      observationSize: 3, actionSize: 1, environmentCount: 2, capacity: capacity)
    for decision in 0..<decisions {
      let states = [decision % 3, (decision + 1) % 3]
      let ends = states.map { $0 == 2 }
      buffer.append(
        ReplayStep(
          observations: states.flatMap(oneHot), actions: [0, 0],
          rewards: states.map { Float($0 + 1) }, stepCounts: [1, 1],
          isTerminated: ends.map { $0 && end == .termination }, isFinished: ends,
          isLost: [false, false], reached: states.flatMap { oneHot(($0 + 1) % 3) }))
    }
    return buffer
  }

  /// The values that satisfy all targets: a table, one column for each state.
  private func values(_ buffer: ReplayBuffer, decisions: Int) -> [Double] {
    let batch = buffer.batch(
      Array(0..<buffer.slotCount), ReplayReturns(decisions: decisions, gamma: Self.gamma))
    func state(_ observations: Tensor, _ row: Int) -> Int {
      observations.slice(row..<row + 1).argumentsOfMaximum()[0]
    }
    let rows = (0..<batch.count).map { row in
      (
        from: state(batch.observations, row), to: state(batch.nextObservations, row),
        reward: Double(batch.rewards.elements[row]),
        discount: Double(batch.discounts.elements[row])
      )
    }
    var values = [0.0, 0, 0]
    for _ in 0..<400 {
      let before = values
      for state in 0..<3 {
        let targets = rows.filter { $0.from == state }.map {
          $0.reward + $0.discount * before[$0.to]
        }
        values[state] = targets.reduce(0, +) / Double(targets.count)
      }
    }
    return values
  }

  private func expectClose(_ found: [Double], _ expected: [Double], _ comment: Comment) {
    for (found, expected) in zip(found, expected) {
      #expect(abs(found - expected) < 1e-3, comment)
    }
  }

  /// Nothing follows a termination; returns over several decisions do not cross it.
  @Test(arguments: [1, 2, 3, 7]) func aChainThatTerminatesHasItsValues(decisions: Int) {
    let gamma = Self.gamma
    let expected = [1 + gamma * (2 + gamma * 3), 2 + gamma * 3, 3]
    expectClose(values(chain(.termination), decisions: decisions), expected, "\(decisions)")
  }

  /// A time-out is no end: the value of what was reached counts.
  @Test(arguments: [1, 2, 3, 7]) func aChainThatTimesOutHasItsValues(decisions: Int) {
    let gamma = Self.gamma
    let cube = gamma * gamma * gamma
    let first = (1 + gamma * (2 + gamma * 3)) / (1 - cube)
    let third = 3 + gamma * first
    let expected = [first, 2 + gamma * third, third]
    expectClose(values(chain(.timeOut), decisions: decisions), expected, "\(decisions)")
  }

  /// The oldest decisions are forgotten; what is left leads where it led.
  @Test(arguments: [1, 3]) func aRingForgetsTheOldest(decisions: Int) {
    for length in [12, 13, 14, 20] {
      let ring = chain(.timeOut, decisions: length, capacity: 10)
      #expect(ring.rowCount == 5 && ring.slotCount == 10 && ring.learnableCount == 10)
      expectClose(
        values(ring, decisions: decisions),
        values(chain(.timeOut, decisions: 30), decisions: decisions), "\(length)")
    }
  }

  private func step(
    _ observation: Float, reward: Float = 0, reached: Float, steps: Int = 1,
    isTerminated: Bool = false, isLost: Bool = false
  ) -> ReplayStep {
    ReplayStep(
      observations: [observation], actions: [observation], rewards: [reward], stepCounts: [steps],
      isTerminated: [isTerminated], isFinished: [isTerminated || isLost], isLost: [isLost],
      reached: [reached])
  }

  private func buffer(_ steps: [ReplayStep]) -> ReplayBuffer {
    var buffer = ReplayBuffer(
      observationSize: 1, actionSize: 1, environmentCount: 1, capacity: 100)
    for step in steps { buffer.append(step) }
    return buffer
  }

  /// gamma of a step of the environment counts the steps that a chunk executed.
  @Test func discountsCanBeOfSteps() {
    let buffer = buffer([
      step(0, reward: 1, reached: 1, steps: 4), step(1, reward: 2, reached: 2, steps: 3),
      step(2, reward: 5, reached: 3, steps: 4),
    ])
    func batch(_ isPerStep: Bool) -> ReplayBatch {
      buffer.batch([0], ReplayReturns(decisions: 2, gamma: 0.5, isPerStep: isPerStep))
    }
    #expect(batch(true).rewards.scalar == 1 + 2 * 0.0625)
    #expect(batch(true).discounts.scalar == 0.0078125)
    #expect(batch(false).rewards.scalar == 2)
    #expect(batch(false).discounts.scalar == 0.25)
    #expect(batch(false).nextObservations.scalar == 2)
  }

  /// Who learns from a lost decision learns what nobody knows; the one before it ends where the lost one
  /// was to be made.
  @Test func lostDecisionsAreNotDrawn() {
    let buffer = buffer([
      step(0, reward: 1, reached: 1), step(1, reward: 100, reached: 50, isLost: true),
      step(7, reward: 3, reached: 8),
    ])
    #expect(buffer.learnableCount == 2)
    var random = RandomStream(seed: 1)
    #expect(Set(buffer.draw(200, random: &random)) == [0, 2])
    let batch = buffer.batch([0], ReplayReturns(decisions: 3, gamma: 0.5))
    #expect(batch.rewards.scalar == 1 && batch.discounts.scalar == 0.5)
    #expect(batch.nextObservations.scalar == 1)
  }

  /// An environment that was reset in between did not walk into the other episode.
  @Test func anEpisodeThatWasAbandonedEnds() {
    let buffer = buffer([
      step(0, reward: 1, reached: 1), step(5, reward: 10, reached: 6),
      step(6, reward: 20, reached: 7),
    ])
    let batch = buffer.batch([0, 1], ReplayReturns(decisions: 2, gamma: 0.5))
    #expect(batch.rewards.elements == [1, 20])
    #expect(batch.nextObservations.elements == [1, 7])
    #expect(batch.discounts.elements == [0.5, 0.25])
  }

  /// A buffer that was saved goes on as if it had not been, also where its ring has come round.
  @Test(arguments: [2, 9, 23]) func itGoesOnExactly(decisions: Int) throws {
    var whole = chain(.timeOut, decisions: decisions, capacity: 14)
    var restored = ReplayBuffer(
      observationSize: 3, actionSize: 1, environmentCount: 2, capacity: 14)
    try restored.restore(whole.state)
    let following = ReplayStep(
      observations: oneHot(1) + oneHot(2), actions: [4, 5], rewards: [6, 7], stepCounts: [2, 3],
      isTerminated: [false, true], isFinished: [false, true], isLost: [false, false],
      reached: oneHot(2) + oneHot(0))
    #expect(whole.append(following) == restored.append(following))
    #expect(whole.learnableCount == restored.learnableCount)
    let (one, other) = (whole.state, restored.state)
    #expect(one.numbers == other.numbers && one.tensors.count == 7)
    for (name, tensor) in one.tensors {
      #expect(tensor.elements == other.tensors[name]?.elements, "\(name)")
    }
    let slots = Array(0..<whole.slotCount)
    let returns = ReplayReturns(decisions: 3, gamma: 0.9)
    #expect(
      whole.batch(slots, returns).nextObservations.elements
        == restored.batch(slots, returns).nextObservations.elements)
    var smaller = ReplayBuffer(
      observationSize: 3, actionSize: 1, environmentCount: 2, capacity: 2)
    #expect(throws: (any Error).self) { try smaller.restore(whole.state) }
  }
}
