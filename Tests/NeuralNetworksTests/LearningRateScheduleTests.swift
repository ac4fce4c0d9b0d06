import NeuralNetworks
import Testing

struct LearningRateScheduleTests {
  /// Cycles of 6, 10 and 18 steps, two of which warm up, with peaks of 1, 1/2 and 1/4 over 0.1.
  @Test func cyclesWarmUpDecayAndGrow() {
    let schedule = LearningRateSchedule.warmRestarts(
      .init(
        maximum: 1, minimum: 0.1, firstCycleStepCount: 6, warmUpStepCount: 2, cycleFactor: 2,
        peakFactor: 0.5))
    let expected: [(step: Int, rate: Double)] = [
      (0, 0.1), (1, 0.55), (2, 1), (4, 0.55), (6, 0.1), (7, 0.3), (8, 0.5), (12, 0.3), (16, 0.1),
      (17, 0.175), (18, 0.25), (26, 0.175), (34, 0.1),
    ]
    for (step, rate) in expected {
      #expect(abs(schedule.rate(atStep: step) - rate) <= 1e-12, "step \(step)")
    }
    // A fourth of the way down: (1 + cos(pi / 4)) / 2.
    #expect(abs(schedule.rate(atStep: 3) - (0.1 + 0.9 * 0.853_553_390_593)) <= 1e-9)
  }
}
