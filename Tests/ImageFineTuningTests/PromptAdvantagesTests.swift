import Foundation
import Tensors
import TestSupport
import Testing

@testable import ImageFineTuning

/// Advantages over earlier images of the same prompt.
@Suite struct PromptAdvantagesTests {
  private static let prompts = [Int](repeating: 0, count: 6) + [1, 1, 1, 1, 2, 2]
  private static let names = prompts.map { "prompt \($0)" }

  private func advantages(
    _ change: (inout ImageFineTuningConfiguration) -> Void = { _ in }
  ) -> PromptAdvantages {
    var configuration = ImageFineTuningConfiguration()
    configuration.rewardBufferSize = 8
    configuration.rewardMinimumCount = 5
    change(&configuration)
    return PromptAdvantages(configuration)
  }

  @Test func areThoseOfTheReference() throws {
    let goldens = try Goldens.file()
    let rewards = try goldens.tensor(named: "statistics/rewards")
    let expected = try goldens.tensor(named: "statistics/advantages")
    var scorer = advantages()
    #expect(rewards.shape == [4, 12])
    for row in 0..<rewards.shape[0] {
      let actual = scorer(
        rewards.slice(row..<row + 1).elements.map { $0 }, prompts: Self.names)
      let found = Tensor(actual.map { $0 ?? .nan }).reshaped(to: [1, 12])
      #expect(maxDifference(found, expected.slice(row..<row + 1)) <= 1e-5, "\(row)")
    }
  }

  @Test func missingRewardsGetNone() {
    var scorer = advantages { $0.rewardMinimumCount = 2 }
    var other = scorer
    let all = scorer([1, nil, 3], prompts: ["a", "a", "a"])
    #expect(all[1] == nil)
    let some = other([1, 3], prompts: ["a", "a"])
    #expect([all[0], all[2]] == some && scorer == other)
    #expect(maxDifference(Tensor(some.map { $0 ?? .nan }), Tensor([-1, 1])) <= 2e-6)
  }

  /// A prompt with as many rewards as it takes is evaluated by its own, one with fewer by all: 1
  /// and 3 about 2 with a standard deviation of 1, and 10 among 1, 3 and 10.
  @Test func enoughRewardsAreTheMinimumCount() throws {
    var scorer = advantages { $0.rewardMinimumCount = 2 }
    let found = scorer([1, 3, 10], prompts: ["a", "a", "b"]).compactMap { $0 }
    let mean = Float(14) / 3
    let std = (Float(110) / 3 - mean * mean).squareRoot()
    let expected = [-1, 1, (10 - mean) / std]
    #expect(zip(found, expected).allSatisfy { abs($0 - $1) <= 1e-5 }, "\(found)")
  }

  /// What is kept are the rewards, so that the settings may change when a run goes on.
  @Test func settingsMayChange() throws {
    var before = advantages { $0.rewardMinimumCount = 1 }
    _ = before([1, 3], prompts: ["a", "a"])
    var after = advantages {
      $0.rewardMinimumCount = 1
      $0.advantageLimit = 0.25
    }
    after.state = try JSONDecoder().decode(
      PromptAdvantages.State.self, from: JSONEncoder().encode(before.state))
    #expect(after.state == before.state)
    #expect(after([9], prompts: ["a"]) == [0.25])
  }

  @Test func areHeldAndCentered() {
    var scorer = advantages {
      $0.rewardMinimumCount = 1
      $0.rewardBufferSize = 100
      $0.advantageLimit = 2
    }
    let outlier = [Float?](repeating: 0, count: 30) + [1]
    #expect(scorer(outlier, prompts: outlier.map { _ in "a" }).last == 2)
    let failure = [Float?](repeating: 0, count: 30) + [-1]
    #expect(scorer(failure, prompts: failure.map { _ in "c" }).last == -2)
    var plain = advantages {
      $0.rewardMinimumCount = 1
      $0.normalizesAdvantages = false
    }
    #expect(plain([1, 4], prompts: ["a", "a"]) == [-1.5, 1.5])
    // Equal rewards say nothing.
    #expect(scorer([3, 3], prompts: ["b", "b"]) == [0, 0])
  }
}
