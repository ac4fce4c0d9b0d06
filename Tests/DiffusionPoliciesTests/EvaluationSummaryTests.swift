import DiffusionPolicies
import Environments
import Testing

struct EvaluationSummaryTests {
  private func episode(
    _ total: Double, best: Double, steps: Int, success: Bool?
  ) -> EpisodeStatistics {
    var statistics = EpisodeStatistics()
    statistics.totalReward = total
    statistics.bestReward = best
    statistics.stepCount = steps
    statistics.isSuccess = success
    return statistics
  }

  @Test func everyNumberIsItsOwnMean() throws {
    let summary = EvaluationSummary(
      environment: "push-t",
      [
        episode(1, best: 0.5, steps: 10, success: true),
        episode(3, best: 0.25, steps: 20, success: false),
        episode(8, best: 0.75, steps: 60, success: true),
      ])
    #expect(summary.environment == "push-t" && summary.episodes == 3)
    #expect(summary.meanReturn == 4)
    // Squares of -3, -1 and 4 over two, and over three.
    #expect(abs(summary.standardError - (26.0 / 2 / 3).squareRoot()) <= 1e-12)
    #expect(summary.bestRewardMean == 0.5)
    #expect(summary.meanLength == 30)
    #expect(abs(try #require(summary.successRate) - 2.0 / 3) <= 1e-12)
  }

  @Test func tasksThatAreNeverDoneHaveNoSuccessRate() {
    let summary = EvaluationSummary(
      environment: "hopper", [episode(1, best: 1, steps: 1, success: nil)])
    #expect(summary.successRate == nil && summary.standardError == 0)
  }
}
