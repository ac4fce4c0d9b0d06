import Foundation
import NeuralNetworks
import Tensors
import TestSupport
import Testing

@testable import Diffusion

/// What samplers of higher order and LCM are beyond their trajectories.
@Suite struct SolverTests {
  private let schedule = NoiseSchedule.scaledLinear()

  /// Against scipy's `beta.ppf` and `beta.cdf`.
  @Test func betaQuantilesAreThoseOfSciPy() {
    let distribution = BetaDistribution(alpha: 0.6, beta: 0.6)
    let expected = [
      (1e-6, 1.8558824624053043e-10), (0.01, 0.0008612388215429059), (0.25, 0.17568037865269498),
      (0.5, 0.5), (0.9, 0.9604155944112192), (0.999, 0.9999814412614826),
    ]
    for (fraction, quantile) in expected {
      let found = distribution.quantile(fraction)
      #expect(abs(found - quantile) <= 1e-9 * quantile, "\(fraction): \(found)")
    }
    #expect(distribution.quantile(0) == 0 && distribution.quantile(1) == 1)
    let other = BetaDistribution(alpha: 2, beta: 5).fractionBelow(0.3)
    #expect(abs(other - 0.579825) <= 1e-12)
  }

  /// Thresholds follow the quantile, so that gradients reach the elements that it lies between.
  @Test func thresholdingIsDifferentiable() {
    let rule = DynamicThresholding(ratio: 0.7, maximum: 10)
    let start: [Float] = [0.5, -2, 3, 1.5, -4, 0.1]
    func value(_ elements: [Float]) -> Float {
      let x = Tensor(shape: [2, 3], elements: elements)
      let weights = Tensor(shape: [2, 3], elements: [1, 2, 3, -1, -2, 4])
      return (rule(x) * weights).sum().scalar
    }
    let parameter = Parameter(Tensor(shape: [2, 3], elements: start))
    let weights = Tensor(shape: [2, 3], elements: [1, 2, 3, -1, -2, 4])
    let result = valueAndGradients { (rule(parameter.tensor) * weights).sum() }.gradients
    let found = result[parameter.leaf]?.elements ?? []
    for index in start.indices {
      var (up, down) = (start, start)
      up[index] += 1e-2
      down[index] -= 1e-2
      let difference = (value(up) - value(down)) / 2e-2
      #expect(abs(found[index] - difference) <= 1e-3, "\(index): \(found) \(difference)")
    }
  }

  /// All noise of a chain has its density: what DDPO with LCM learns from.
  @Test func lcmTransitionsHaveTheirDensities() {
    let process = DenoisingProcess(sampler: LCMSampler(schedule, count: 4))
    var noise = RandomStream(seed: 3)
    let denoiser: Denoiser = { sample, _ in sample * 0.5 }
    let chain = process.rollout(
      from: noise.normal([16, 3]), keeping: .all, noise: &noise, denoiser: denoiser)
    let early = DenoisingChain(states: Array(chain.states.dropLast()), firstIndex: 0)
    let kept = process.logProbabilities(of: early, denoiser: denoiser)
    #expect(kept.count == 3)
    // A mixture of steps, row b at step b % 3.
    let rows = Array(0..<16)
    let mixed = process.logProbabilities(
      from: .stacked(rows.map { chain.states[$0 % 3][$0] }),
      to: .stacked(rows.map { chain.states[$0 % 3 + 1][$0] }), at: .perRow(rows.map { $0 % 3 }),
      denoiser: denoiser)
    for row in rows {
      #expect((mixed[row] - kept[row % 3][row]).absolute().elements.max() ?? .nan <= 1e-4)
    }
    #expect(process.samplingStd(at: 3) == nil && (process.samplingStd(at: 2) ?? 0) > 0.1)
  }

  /// A solver with noise draws it at every step but one that ends at a clean sample; its steps have
  /// densities while they are made.
  @Test func stochasticSolversKeepDensities() {
    func draws(_ sampler: DPMSolverSampler) -> (draws: Int, logProbabilities: [Tensor]) {
      let ones = [Tensor](repeating: .ones([2, 3]), count: 9)
      var noise = RecordedNoise(ones)
      let process = DenoisingProcess(sampler: sampler, logProbabilityFloor: 1e-3)
      let chain = process.rollout(
        from: .zeros([2, 3]), keeping: .all, keepsLogProbabilities: true, noise: &noise
      ) { sample, _ in sample * 0.5 }
      return (9 - noise.remainingCount, chain.logProbabilities)
    }
    let (count, logs) = draws(DPMSolverSampler(schedule, count: 5, isStochastic: true))
    #expect(count == 4)
    // Where the noise is 1, the density is that of one standard deviation.
    let sampler = DPMSolverSampler(schedule, count: 5, isStochastic: true)
    var memory = SamplerMemory()
    for index in 0..<4 {
      let std = sampler.transition(
        from: .zeros([2, 3]), prediction: .zeros([2, 3]), at: index, memory: &memory
      ).standardDeviation?.scalar
      let expected = -0.5 - logf(std ?? .nan) - 0.5 * logf(2 * Float.pi)
      #expect(abs(logs[index].elements[0] - expected) <= 1e-3)
    }
    let toMinimum = DPMSolverSampler(
      schedule, count: 5, isStochastic: true, endsAtCleanSample: false)
    #expect(draws(toMinimum).draws == 5)
    #expect(draws(DPMSolverSampler(schedule, count: 5)).draws == 0)
  }
}
