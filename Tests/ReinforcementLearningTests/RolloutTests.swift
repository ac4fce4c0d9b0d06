import Files
import Foundation
import ReinforcementLearning
import Tensors
import TestSupport
import Testing

/// Rewards, advantages and returns against the DPPO reference.
@Suite struct RolloutTests {
  let file: SafetensorsFile

  init() throws {
    file = try SafetensorsFile(
      path: Repository.golden("ReinforcementLearning/rollout.safetensors"))
  }

  func golden(_ name: String) throws -> [Float] { try file.tensor(named: name).elements }

  func expectClose(
    _ actual: [Float], _ expected: [Float], tolerance: Float = 1e-5,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(actual.count == expected.count, sourceLocation: sourceLocation)
    let worst = zip(actual, expected).map { abs($0 - $1) / max(1, abs($1)) }.reduce(0) {
      $1.isNaN ? .nan : max($0, $1)
    }
    #expect(worst <= tolerance, sourceLocation: sourceLocation)
  }

  @Test func rewardsAreScaledAsInTheReference() throws {
    var scaler = RewardScaler(environmentCount: 3)
    for part in ["first", "second"] {
      let isFirst = try golden("\(part).isFirst").map { $0 != 0 }
      expectClose(
        scaler(try golden("\(part).rewards"), isFirst: isFirst), try golden("\(part).scaled"))
    }
  }

  @Test func aScalerGoesOnFromItsEncoding() throws {
    var scaler = RewardScaler(environmentCount: 1)
    _ = scaler([1, 2, -5], isFirst: [true, false, false])
    var copy = try JSONDecoder().decode(RewardScaler.self, from: JSONEncoder().encode(scaler))
    #expect(copy([3], isFirst: [false]) == scaler([3], isFirst: [false]))
  }

  @Test func scaledRewardsAreLimited() {
    var scaler = RewardScaler(environmentCount: 1, limit: 2)
    let scaled = scaler([0.1, 0.1, 0.1, 0.1, 90], isFirst: .init(repeating: true, count: 5))
    #expect(scaled[4] == 2)
    #expect(scaler([-900], isFirst: [true]) == [-2])
  }

  @Test func advantagesAreThoseOfTheReference() throws {
    let values = try golden("gae.values")
    let terminated = try golden("gae.terminated").map { $0 != 0 }
    let rollout = RolloutRewards(
      rewards: try golden("gae.rewards"), values: Array(values.dropLast(3)),
      nextValues: Array(values.dropFirst(3)), isTerminated: terminated, isFinished: terminated,
      environmentCount: 3)
    let (advantages, returns) = rollout.generalizedAdvantages(gamma: 0.97, gaeLambda: 0.9)
    expectClose(advantages, try golden("gae.advantages"))
    expectClose(returns, zip(advantages, values).map { $0 + $1 })
  }

  /// Where the reference differs: the value of the final observation counts, later rewards do not.
  @Test func aTimeOutKeepsItsValueAndEndsItsTrace() {
    let rollout = RolloutRewards(
      rewards: [1, 100], values: [10, 20], nextValues: [5, 0], isTerminated: [false, true],
      isFinished: [true, true], environmentCount: 1)
    let (advantages, _) = rollout.generalizedAdvantages(gamma: 0.5, gaeLambda: 0.5)
    #expect(advantages == [-6.5, 80] as [Float])
  }

  /// The decision before it is valued by the state that it was to be made in; its own reward, and the
  /// episode after it, count for nobody.
  @Test func aLostDecisionIsNotLearnedFrom() {
    let rollout = RolloutRewards(
      rewards: [1, 999, 3], values: [10, 20, 30], nextValues: [20, 500, 5],
      isTerminated: [false, false, false], isFinished: [false, true, true],
      isLost: [false, true, false], environmentCount: 1)
    let (advantages, returns) = rollout.generalizedAdvantages(gamma: 0.5, gaeLambda: 0.5)
    #expect(advantages == [1, 0, -24.5] as [Float])
    #expect(returns == [11, 20, 5.5] as [Float])
    var (all, some) = (RewardScaler(environmentCount: 1), RewardScaler(environmentCount: 1))
    _ = all([1, 999, 2], isFirst: [true, false, true], isLost: [false, true, false])
    _ = some([1, 2], isFirst: [true, true])
    #expect(all.scale == some.scale)
  }

  @Test func theCriticIsMeasured() {
    #expect(explainedVariance(values: [1, 2, 3], returns: [1, 2, 3]) == 1)
    #expect(explainedVariance(values: [0, 0], returns: [-1, 1]) == 0)
    #expect(explainedVariance(values: [0, 1], returns: [2, 2]) == nil)
  }

  @Test func advantagesAreNormalizedAndClamped() throws {
    let advantages = try golden("scaling.advantages")
    expectClose(AdvantageScaling()(advantages), try golden("scaling.normalized"))
    expectClose(
      AdvantageScaling(quantiles: 0.05...0.93)(advantages), try golden("scaling.clamped"))
    // The quantiles lie a quarter of the way between the two nearest values: 0.75 and 4.
    let clamped: [Float] = AdvantageScaling(isNormalized: false, quantiles: 0.25...0.75)([
      10, 0, 2, 1,
    ])
    #expect(clamped == [4, 0.75, 2, 1] as [Float])
    let raw: [Float] = AdvantageScaling(isNormalized: false)([3, 1])
    #expect(raw == [3, 1] as [Float])
  }
}
