import Diffusion
import Tensors
import Testing

/// Distributions of the next sample.
@Suite struct TransitionTests {
  /// Against the mean of log-density ratios over a fine grid.
  @Test func divergenceIsThatOfGaussians() {
    for (mean, deviation, otherMean, otherDeviation) in [
      (Float(0.3), Float(0.5), Float(-0.2), Float(0.8)), (1, 1, 1, 0.5), (0, 0.1, 0.01, 0.1),
    ] {
      let here = Transition(mean: Tensor([mean]), standardDeviation: Tensor(deviation))
      let there = Transition(mean: Tensor([otherMean]), standardDeviation: Tensor(otherDeviation))
      let count = 4_001
      let points = Tensor((0..<count).map { mean + deviation * (Float($0) / 250 - 8) })
      let log = Transition(
        mean: Tensor(repeating: mean, shape: [count]), standardDeviation: Tensor(deviation)
      ).logProbability(of: points)
      let otherLog = Transition(
        mean: Tensor(repeating: otherMean, shape: [count]),
        standardDeviation: Tensor(otherDeviation)
      ).logProbability(of: points)
      let expected = ((log - otherLog) * log.exp()).sum().scalar * deviation / 250
      let actual = here.divergence(from: there).elements
      #expect(actual.count == 1 && !(abs(actual[0] - expected) > 1e-4), "\(actual), \(expected)")
    }
    let same = Transition(mean: Tensor([1.5]), standardDeviation: Tensor(0.3))
    #expect(same.divergence(from: same).elements == [0])
  }
}
