@testable import InitialNoise
import ReinforcementLearning
import Testing

@Suite struct NoiseSummaryTests {
  private func comparison(
    _ prompt: String, _ plain: Double, _ prior: Double, _ best: Double
  ) -> NoiseComparison {
    func estimate(_ mean: Double) -> ScoreEstimate { .init(mean: mean, standardError: 9) }
    return NoiseComparison(
      prompt: prompt, count: 4, bestOf: 3,
      scores: [
        "reward": .init(plain: estimate(plain), prior: estimate(prior), bestOfN: estimate(best))
      ])
  }

  /// Two priors of one prompt count once; errors are those of the mean over prompts, gains paired.
  @Test func promptsAreAveragedNotPriors() throws {
    let summary = NoiseSummary([
      comparison("an elf", 1, 3, 2), comparison("an elf", 1, 5, 2), comparison("an orc", 3, 7, 9),
    ])
    #expect(summary.promptCount == 2 && summary.priorCount == 3)
    let score = try #require(summary.scores["reward"])
    #expect(score.plain == .init(mean: 2, standardError: 1))
    #expect(score.prior == .init(mean: 5.5, standardError: 1.5))
    // 4 - 1 and 7 - 3.
    #expect(score.gain == .init(mean: 3.5, standardError: 0.5))
    // 4 - 2 and 7 - 9.
    #expect(score.gainOverBestOfN == .init(mean: 0, standardError: 2))
  }

  /// Best-of-N may spend at least as many images as the prior did.
  @Test(arguments: [(256, 32, 9), (256, 500, 2), (0, 10, 1), (1, 10, 2)])
  func bestOfSpendsAsMuch(imageCount: Int, count: Int, bestOf: Int) {
    #expect(NoiseEvaluation.bestOf(imageCount: imageCount, count: count) == bestOf)
  }

  @Test func bestOfTakesTheHighestOfEachGroup() {
    let rewards: [Float?] = [1, 3, 2, nil, -5, -7, nil, nil, nil, 4]
    #expect(NoiseEvaluation.winners(of: rewards, groupSize: 3).prefix(2) == [1, 4])
    #expect(NoiseEvaluation.winners(of: rewards, groupSize: 3).count == 4)
    #expect(NoiseEvaluation.winners(of: rewards, groupSize: 3).last == 9)
    #expect(NoiseEvaluation.winners(of: rewards, groupSize: 1) == Array(0..<10))
  }

  @Test func aPromptWithoutNumbersIsLeftOut() throws {
    var empty = comparison("an orc", 0, 0, 0)
    empty.scores["reward"] = .init(plain: nil, prior: nil, bestOfN: nil)
    let summary = NoiseSummary([comparison("an elf", 1, 3, 2), empty])
    #expect(summary.promptCount == 2)
    #expect(summary.scores["reward"]?.gain == .init(mean: 2, standardError: 0))
    #expect(NoiseSummary([empty]).scores.isEmpty)
  }
}
