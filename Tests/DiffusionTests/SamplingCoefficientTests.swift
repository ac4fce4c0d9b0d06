import Tensors
import TestSupport
import Testing

@testable import Diffusion

/// The numbers that samplers give to those who walk the chain elsewhere.
@Suite struct SamplingCoefficientTests {
  private let schedule = NoiseSchedule.policyCosine(timeStepCount: 20)

  /// The mean by the numbers alone, as their documentation states it.
  private func mean(
    _ coefficients: SamplingCoefficients, sample: Tensor, prediction: Tensor
  ) -> Tensor {
    let estimate = ((sample - coefficients.noiseScale * prediction) / coefficients.signalScale)
      .clamped(to: -1, 1)
    let noise = (sample - coefficients.signalScale * estimate) / coefficients.noiseScale
    return coefficients.estimate * estimate + coefficients.sample * sample
      + coefficients.noise * noise
  }

  private func expectMeans(
    of sampler: any MarkovSampler, _ coefficients: (Int) -> SamplingCoefficients
  ) {
    var random = RandomStream(seed: 4)
    for index in sampler.timeSteps.indices {
      let (sample, prediction) = (random.normal([3, 4, 2]), random.normal([3, 4, 2]))
      let transition = sampler.transition(
        from: sample, prediction: prediction, at: .shared(index))
      expectClose(
        mean(coefficients(index), sample: sample, prediction: prediction), transition.mean,
        "the mean at \(index)")
    }
  }

  @Test func ddpmMeansFollowFromThem() {
    let sampler = DDPMSampler(schedule, estimateLimit: 1)
    expectMeans(of: sampler) { sampler.coefficients(at: $0) }
    #expect(sampler.coefficients(at: 19).estimate == 1 && sampler.coefficients(at: 19).sample == 0)
  }

  @Test(arguments: [0, 0.5, 1] as [Float]) func ddimMeansFollowFromThem(eta: Float) {
    let sampler = DDIMSampler(
      schedule, count: 5, eta: .fixed(eta), estimateLimit: 1, recomputesNoise: true)
    expectMeans(of: sampler) { sampler.coefficients(at: $0) }
    #expect(sampler.coefficients(at: 2).sample == 0 && sampler.coefficients(at: 2).noise > 0)
  }

  @Test func standardDeviationsFollowTheNoiseRule() throws {
    let ddpm = DDPMSampler(schedule)
    func stds(_ sampler: any MarkovSampler, _ rule: NoiseRule) -> [Float?] {
      let process = DenoisingProcess(sampler: sampler, noiseRule: rule)
      return (0..<process.transitionCount).map { process.samplingStd(at: $0) }
    }
    let own = stds(ddpm, .own)
    #expect(own.last == .some(nil) && own.dropLast().allSatisfy { ($0 ?? 0) > 0 })
    for index in 0..<19 {
      let std = ddpm.transition(
        from: .zeros([1, 1]), prediction: .zeros([1, 1]), at: .shared(index)
      ).standardDeviation
      #expect(own[index] == std?.scalar)
    }
    #expect(stds(ddpm, .none).allSatisfy { $0 == nil })
    #expect(stds(ddpm, .atLeast(0.5)).allSatisfy { ($0 ?? 0) >= 0.5 })
    #expect(stds(ddpm, .atLeastUntilLast(0.5)).last == .some(nil))
    #expect(stds(ddpm, .atLeastUntilLast(0.5))[18] == 0.5)
    #expect(stds(DDIMSampler(schedule, count: 5), .own).allSatisfy { $0 == nil })
    #expect(stds(DDIMSampler(schedule, count: 5, eta: .fixed(1)), .own).count { $0 == nil } == 1)
  }
}
