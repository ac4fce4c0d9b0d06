import Tensors
import Testing

@testable import Diffusion

/// A sampler, whole: it goes half of the way to what the network predicts, with less noise at each
/// step.
private struct HalvingSampler: MarkovSampler {
  let timeSteps: [Float] = [40, 30, 20, 10]

  func transition(
    from sample: Tensor, prediction: Tensor, at indices: Broadcast<Int>
  ) -> Transition {
    Transition(
      mean: (sample + prediction) / 2,
      standardDeviation: indices.map { 0.1 / Float($0 + 1) }.tensor(rank: sample.rank))
  }
}

/// A sampler that stands in this file alone makes a decision process as any other: it samples,
/// keeps its densities, and has those of recorded transitions in any mixture.
@Suite struct ToySamplerTests {
  private let process = DenoisingProcess(sampler: HalvingSampler())
  private let shape = [64, 3]

  private func rollout() -> DenoisingChain {
    var noise = RandomStream(seed: 5, purpose: "toy sampler")
    let start = process.firstAction(shape, noise: &noise)
    return process.rollout(
      from: start, keeping: .all, keepsLogProbabilities: true, noise: &noise,
      denoiser: StagedDenoiser { sample, _ in .ones(sample.shape) })
  }

  @Test func samplesGoWhereItLeads() {
    let chain = rollout()
    #expect(chain.transitionCount == 4)
    // Each step halves the distance to 1; the noise that is left has a standard deviation below
    // 0.05.
    let expected = chain.states[0] / 16 + 15 / 16
    let error = (chain.sample - expected).squared().mean().scalar.squareRoot()
    #expect(error < 0.05 && error > 0.01, "\(error)")
  }

  @Test func recordedTransitionsHaveTheirDensities() {
    let chain = rollout()
    let again = process.logProbabilities(of: chain) { sample, _ in .ones(sample.shape) }
    for (found, kept) in zip(again, chain.logProbabilities) {
      #expect(found.elements == kept.elements)
    }
    // A mixture of steps: row b at step b % 4.
    let rows = Array(0..<64)
    let mixed = process.logProbabilities(
      from: .stacked(rows.map { chain.states[$0 % 4][$0] }),
      to: .stacked(rows.map { chain.states[$0 % 4 + 1][$0] }),
      at: .perRow(rows.map { $0 % 4 })
    ) { sample, _ in .ones(sample.shape) }
    for row in rows {
      let kept = chain.logProbabilities[row % 4][row]
      #expect((mixed[row] - kept).absolute().elements.max() ?? .nan <= 1e-5)
    }
  }
}
