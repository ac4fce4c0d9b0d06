import Environments
import Testing

@testable import DiffusionPolicies

@Suite struct EvaluationComparisonTests {
  private func episode(_ total: Double, best: Double, success: Bool?) -> EpisodeStatistics {
    var statistics = EpisodeStatistics()
    statistics.totalReward = total
    statistics.bestReward = best
    statistics.isSuccess = success
    return statistics
  }

  /// Gains are of pairs: what episodes have in common does not add to their errors.
  @Test func gainsArePaired() throws {
    let starts = [0.0, 100, 200, 300]
    let others = starts.map { episode($0, best: $0 / 400, success: false) }
    let episodes = zip(starts, [9.0, 11, 9, 11]).map { start, gain in
      episode(start + gain, best: start / 400 + 0.1, success: start >= 200)
    }
    let comparison = EvaluationComparison(episodes, against: others, environment: "push-t")
    #expect(comparison.returnGain.mean == 10)
    // Deviation sqrt(4 / 3) of four pairs.
    #expect(!(abs(comparison.returnGain.standardError - (4.0 / 3 / 4).squareRoot()) > 1e-12))
    #expect(!(abs(comparison.bestRewardGain.mean - 0.1) > 1e-12))
    #expect(!(comparison.bestRewardGain.standardError > 1e-12))
    let success = try #require(comparison.successGain)
    #expect(success.mean == 0.5)
    #expect(!(abs(success.standardError - (1.0 / 3 / 4).squareRoot()) > 1e-12))
    #expect(comparison.against.meanReturn == 150 && comparison.against.successRate == 0)
  }

  @Test func tasksThatAreNeverDoneHaveNoGainInSuccess() {
    let episodes = [1.0, 2].map { episode($0, best: $0, success: nil) }
    let comparison = EvaluationComparison(episodes, against: episodes, environment: "hopper")
    #expect(comparison.successGain == nil)
    #expect(comparison.returnGain.mean == 0)
  }
}
