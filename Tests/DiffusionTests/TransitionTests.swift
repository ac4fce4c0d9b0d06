import Diffusion
import Tensors
import Testing

/// Distributions of the next sample.
@Suite struct TransitionTests {
  /// Against the mean of log-density ratios over a fine grid.
  @Test func divergenceIsThatOfGaussians() {
    for (mean, std, otherMean, otherStd) in [
      (Float(0.3), Float(0.5), Float(-0.2), Float(0.8)), (1, 1, 1, 0.5), (0, 0.1, 0.01, 0.1),
    ] {
      let here = Transition(mean: Tensor([mean]), standardDeviation: Tensor(std))
      let there = Transition(mean: Tensor([otherMean]), standardDeviation: Tensor(otherStd))
      let count = 4_001
      let points = Tensor((0..<count).map { mean + std * (Float($0) / 250 - 8) })
      let log = Transition(
        mean: Tensor(repeating: mean, shape: [count]), standardDeviation: Tensor(std)
      ).logProbability(of: points)
      let otherLog = Transition(
        mean: Tensor(repeating: otherMean, shape: [count]),
        standardDeviation: Tensor(otherStd)
      ).logProbability(of: points)
      let expected = ((log - otherLog) * log.exp()).sum().scalar * std / 250
      let actual = here.divergence(from: there).elements
      #expect(actual.count == 1 && !(abs(actual[0] - expected) > 1e-4), "\(actual), \(expected)")
    }
    let same = Transition(mean: Tensor([1.5]), standardDeviation: Tensor(0.3))
    #expect(same.divergence(from: same).elements == [0])
  }

  private static let spacings: [TimeStepSpacing] = [.trailing, .linspace, .leading]

  /// Squares that ought to leave something may leave less than nothing by rounding: after a leap
  /// from almost pure noise, and at any number of steps.
  @Test func transitionsAreFinite() {
    let schedules = [
      NoiseSchedule.squaredCosine(timeStepCount: 1_000),
      .scaledLinear(timeStepCount: 1_000, first: 0.00085, last: 0.012),
      NoiseSchedule.squaredCosine(timeStepCount: 1_000).rescaledToZeroTerminalSNR(),
    ]
    let sample = Tensor(shape: [1, 2], elements: [0.5, -1])
    for schedule in schedules {
      for (count, spacing) in (1...50).flatMap({ count in Self.spacings.map { (count, $0) } }) {
        let samplers: [any MarkovSampler] = [
          EulerAncestralSampler(
            schedule, count: count, predictionType: .velocity, spacing: spacing),
          EulerSampler(schedule, count: count, predictionType: .velocity, spacing: spacing),
          DDIMSampler(
            schedule, count: count, predictionType: .velocity, spacing: spacing, eta: .fixed(1)),
          DDPMSampler(schedule, count: count, predictionType: .velocity, spacing: spacing),
        ]
        for sampler in samplers {
          let isFinite = sampler.timeSteps.indices.allSatisfy { index in
            let transition = sampler.transition(
              from: sample, prediction: sample, at: .shared(index))
            let stds = transition.standardDeviation?.elements ?? []
            return (transition.mean.elements + stds).allSatisfy { $0.isFinite }
          }
          #expect(isFinite, "\(type(of: sampler)), \(count) steps, \(spacing)")
        }
      }
    }
  }
}
