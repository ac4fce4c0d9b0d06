import NeuralNetworks
import Tensors
import Testing

@testable import InitialNoise

/// What each setting of FIND does.
struct FINDSettingTests {
  private func find(_ change: (inout FINDConfiguration) -> Void) throws -> PriorLearner {
    var configuration = FINDConfiguration()
    configuration.imageCount = 2
    configuration.iterations = 50
    change(&configuration)
    return try PriorLearner(
      process: oneStep, shape: [1, 2, 1], promptEmbedding: .zeros([4]),
      configuration: configuration, seed: 1)
  }

  @discardableResult
  private func run(_ find: PriorLearner, rewards: [[Float]]) throws -> [PriorLearner.Report] {
    try rewards.map { try find.learn(from: find.draw(), rewards: $0.map { $0 }) }
  }

  /// -1 and 1, over the standard deviation of 0, 4, 1 and 2.
  @Test func rewardsAreScaledByTheHistory() throws {
    let find = try find { _ in }
    try run(find, rewards: [[0, 4], [1, 2]])
    let found = try #require(find.trainingState.tensors["history.1.advantages"]).elements
    let std = Float(8.75 / 3).squareRoot()
    #expect(zip(found, [-1 / std, 1 / std]).allSatisfy { abs($0 - $1) <= 1e-6 })
  }

  @Test func historyIsAsLongAsItIsTold() throws {
    let find = try find { $0.historyLength = 3 }
    let rewards: [[Float]] = [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]
    let lengths = try rewards.map { rewards in
      try run(find, rewards: [rewards])
      return find.trainingState.numbers["historyCount"]
    }
    #expect(lengths == [1, 2, 3, 3, 3])
    #expect(find.trainingState.tensors["history.0.rewards"]?.elements == [4, 5])
  }

  /// The squares of -2, -1, 3 and 0 over 3, and over 4.
  @Test func reportHasTheStandardError() throws {
    let find = try find { $0.imageCount = 4 }
    let report = try run(find, rewards: [[1, 2, 6, 3]])[0]
    #expect(report.reward == 3 && report.bestReward == 6)
    #expect(abs(report.rewardStandardError - (14.0 / 3 / 4).squareRoot()) <= 1e-6)
  }

  /// Means of 0.6 and 0.6 after 0 and 1: better by 0.1, with a standard error of 0.5.
  @Test func settlesWithinAStandardError() throws {
    func settled(_ means: [Float]) throws -> [Bool] {
      let find = try find { $0.patience = 2 }
      return try means.map { mean in
        try run(find, rewards: [[mean, mean]])
        return find.hasSettled
      }
    }
    #expect(try settled([0, 1, 0.6, 0.6]) == [false, false, false, true])
    #expect(try settled([0, 0.1, 5, 5.1]) == [false, false, false, false])
  }

  /// A run that has settled stays so, and one that was about to settles as it would have.
  @Test func settlingIsResumed() throws {
    let first = try find { $0.patience = 2 }
    try run(first, rewards: [[0, 0], [1, 1], [0.5, 0.7]])
    let second = try find { $0.patience = 2 }
    try second.restore(first.trainingState)
    #expect(!second.hasSettled)
    try run(second, rewards: [[0.6, 0.6]])
    #expect(second.hasSettled && second.isFinished)
    let third = try find { $0.patience = 2 }
    try third.restore(second.trainingState)
    #expect(third.hasSettled && third.isFinished)
  }

  /// Steps of an iteration; each sees the prior that the last one left.
  @Test func epochsMoveThePrior() throws {
    func shift(_ epochs: Int) throws -> Double {
      let find = try find {
        $0.epochs = epochs
        $0.stepSize = 0.01
        $0.priorPenaltyWeight = 0
      }
      try run(find, rewards: [[0, 4]])
      return find.prior.shift
    }
    let ratio = try shift(3) / shift(1)
    #expect(abs(ratio - 3) <= 0.2, "\(ratio)")
  }

  /// Two iterations of three steps.
  @Test func baselineTakesItsPasses() throws {
    let find = try find {
      $0.baseline = .learned
      $0.baselinePassCount = 3
    }
    try run(find, rewards: [[0, 1], [1, 2]])
    #expect(find.trainingState.numbers["baselineOptimizer.stepCount"] == 6)
  }

  /// Equal rewards leave the prior as it is: what is drawn from it is new in every iteration.
  @Test func noNoiseIsDrawnTwice() throws {
    let find = try find { $0.imageCount = 4 }
    var seen: Set<[Float]> = []
    for _ in 0..<3 {
      let noise = find.draw()
      for row in 0..<4 { seen.insert(noise[row].elements) }
      _ = try find.learn(from: noise, rewards: [1, 1, 1, 1])
    }
    #expect(seen.count == 12)
  }
}
