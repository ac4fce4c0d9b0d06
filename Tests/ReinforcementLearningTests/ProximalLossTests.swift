import Foundation
import ReinforcementLearning
import Tensors
import Testing

@Suite struct ProximalLossTests {
  @Test func theLossIsTheClippedObjective() {
    // Ratios 1.5, 0.5, 1.05 against ranges of 0.1.
    let ratios: [Float] = [1.5, 0.5, 1.05, 0.5]
    let loss = ProximalPolicyLoss(
      logProbabilities: Tensor(ratios.map { logf($0) }), oldLogProbabilities: .zeros([4]),
      advantages: Tensor([2, 3, -1, -4] as [Float]), clipRanges: Tensor(repeating: 0.1, shape: [4]))
    // Gains are cut at 1.1; losses of probability are not; nor is anything within the range; a bad
    // action's probability need not fall below 0.9.
    let parts: [Float] = [-2 * 1.1, -3 * 0.5, 1.05, 4 * 0.9]
    let expected = parts.reduce(0, +)
    #expect(abs(loss.sum.scalar - expected) < 1e-5)
    #expect(loss.statistics.count == 4)
    #expect(loss.statistics.clipped == 3)
    let divergence = ratios.reduce(0.0) { $0 + Double($1 - 1 - logf($1)) }
    #expect(abs(loss.statistics.divergence - divergence) < 1e-5)
    #expect(abs(loss.statistics.ratio - 3.55) < 1e-5)
  }

  @Test func theGradientIsThatOfTheUnclippedObjectiveAtTheStart() {
    let old = Tensor([-1, 0.5])
    let advantages = Tensor([2, -3])
    let leaf = GradientLeaf()
    let (_, gradients) = valueAndGradients {
      ProximalPolicyLoss(
        logProbabilities: old.tracked(as: leaf), oldLogProbabilities: old, advantages: advantages,
        clipRanges: Tensor([0.1, 0.1])
      ).sum
    }
    let gradient: [Float] = gradients[leaf]?.elements ?? []
    #expect(gradient == [-2, 3] as [Float])
  }

  @Test func clipRangesGrowTowardsTheLastStep() {
    let ranges = ClipSchedule(base: 0.001, top: 0.01).ranges(count: 10)
    #expect(ranges.count == 10)
    #expect(ranges[0] == 0.001)
    #expect(abs(ranges[9] - 0.01) < 1e-8)
    let t = 4.0 / 9
    let progress: Double = (exp(3 * t) - 1) / (exp(3.0) - 1)
    let expected: Double = 0.001 + 0.009 * progress
    #expect(abs(Double(ranges[4]) - expected) < 1e-8)
    let single: [Float] = ClipSchedule(base: 0.001, top: 0.01).ranges(count: 1)
    #expect(single == [0.01] as [Float])
  }

  @Test(arguments: [0, 0.001, 3, 30, 88, 200, 1e5, -3, -200] as [Float])
  func clipRangesAreFiniteAtAnyRate(_ rate: Float) {
    let ranges = ClipSchedule(base: 0.1, top: 0.9, rate: rate).ranges(count: 11)
    #expect(ranges[0] == 0.1)
    #expect(abs(ranges[10] - 0.9) < 1e-6)
    #expect(zip(ranges, ranges.dropFirst()).allSatisfy { $0 <= $1 })
    for (step, range) in ranges.enumerated() {
      let t = Double(step) / 10
      // In double precision the formula holds up to a rate of 709.
      guard rate != 0, abs(rate) < 700 else { continue }
      let progress: Double = expm1(Double(rate) * t) / expm1(Double(rate))
      #expect(abs(Double(range) - (0.1 + 0.8 * progress)) < 1e-6)
    }
  }

  @Test func theLastDenoisingStepIsNotDiscounted() {
    let gammas: [Float] = denoisingGammas(0.5, count: 3)
    #expect(gammas == [0.25, 0.5, 1] as [Float])
  }

  @Test func valuesAreHeldNearTheOldOnes() {
    let errors = valueErrors(
      values: Tensor([3, 3]), returns: Tensor([0, 5]), oldValues: Tensor([1, 1]), limit: 0.5)
    // Held at 1.5: errors 0.5 x 9 against 0.5 x 2.25, and 0.5 x 4 against 0.5 x 12.25.
    #expect(errors.elements == [4.5, 6.125] as [Float])
    let free = valueErrors(
      values: Tensor([3]), returns: Tensor([5]), oldValues: Tensor([1]), limit: nil)
    #expect(free.elements == [2] as [Float])
  }
}
