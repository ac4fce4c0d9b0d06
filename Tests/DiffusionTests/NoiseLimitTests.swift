import Diffusion
import Tensors
import Testing

/// Noise of a chain stays within its limit, as DPPO's within 3.
struct NoiseLimitTests {
  /// Three DDIM steps draw noise with eta 1, the last of four does not; a network that predicts 0
  /// leaves its sum: noise of 5 under a limit of 3 is noise of 3.
  @Test func noiseIsClamped() {
    let sampler = DDIMSampler(
      .policyCosine(timeStepCount: 20), count: 4, eta: .fixed(1))
    func sample(_ noise: [Float], limit: Float?) -> [Float] {
      var source = RecordedNoise(
        [Tensor](repeating: Tensor(shape: [1, 2], elements: noise), count: 4))
      return DenoisingProcess(sampler: sampler, noiseLimit: limit).rollout(
        from: .zeros([1, 2]), noise: &source
      ) { sample, _ in .zeros(sample.shape) }.sample.elements
    }
    #expect(sample([5, -5], limit: 3) == sample([3, -3], limit: nil))
    #expect(sample([5, -5], limit: nil) != sample([3, -3], limit: nil))
    #expect(sample([2, -1], limit: 3) == sample([2, -1], limit: nil))
  }
}
