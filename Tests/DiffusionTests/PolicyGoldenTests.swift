import Diffusion
import NeuralNetworks
import Tensors
import TestSupport
import Testing

/// DPPO's chains, posteriors and log-probabilities against the reference implementation.
///
/// At the last step the reference's coefficient of x_0, beta_0 / (1 - alphaBar_0), is 1 but for
/// 3e-6 of rounding; ours is 1. Divided by a standard deviation of 0.1 that shows in the
/// log-densities of DDPM.
@Suite struct PolicyGoldenTests {
  private let goldens: GoldenTensors

  init() throws { goldens = try GoldenTensors("Diffusion/dppo.safetensors") }

  /// The generator's stand-in for a policy network: tanh(0.8 x + w t / K + condition).
  private func actor(_ weight: String, timeStepCount: Int, rows: [Int]? = nil) throws -> Denoiser {
    let weight = try goldens[weight]  // [Tp, Da]
    let state = try goldens["state"]  // [B, Tp, Da]
    let condition = rows.map { state.gather($0) } ?? state
    return { x, timeSteps in
      let time = timeSteps.map { $0 / Float(timeStepCount) }.tensor(rank: 3)
      return (x * 0.8 + weight * time + condition).tanh()
    }
  }

  private func check(
    _ name: String, _ process: DenoisingProcess, timeStepCount: Int, fineTunedSteps: Int
  ) throws {
    let noises = try goldens["noise"]
    var noise = RecordedNoise((0..<noises.shape[0]).map { noises[$0] })
    let tuned = try actor("tuned", timeStepCount: timeStepCount)
    let networks = StagedDenoiser(
      frozen: try actor("base", timeStepCount: timeStepCount), fineTuned: tuned,
      fineTunedSteps: fineTunedSteps)
    let chain = process.rollout(
      from: try goldens["initial"], keeping: .last(fineTunedSteps), keepsLogProbabilities: true,
      noise: &noise, denoiser: networks)
    let expectedChain = try goldens["\(name)/chains"]
    expectClose(chain.stackedStates, expectedChain, relative: 1e-5, "chain of \(name)")
    let lastTolerance: Float = process.sampler is DDPMSampler ? 5e-5 : 1e-5
    let expected = try goldens["\(name)/log-probabilities"]
    expectClose(
      chain.stackedLogProbabilities, expected, relative: lastTolerance,
      "log-probabilities from sampling of \(name)")
    let golden = DenoisingChain(
      states: (0...fineTunedSteps).map {
        expectedChain.slice($0..<($0 + 1), along: 1).reshaped(to: [3, 4, 2])
      },
      firstIndex: process.transitionCount - fineTunedSteps)
    let recomputed = process.logProbabilities(of: golden, denoiser: tuned)
    for (position, value) in recomputed.enumerated() {
      expectClose(
        value, expected.slice(position..<(position + 1), along: 1).reshaped(to: [3, 4, 2]),
        relative: position == fineTunedSteps - 1 ? lastTolerance : 1e-5,
        "log-probabilities of \(name) at \(position)")
    }
    // One transition of each chain, at different denoising steps, in one batch.
    let picked = try goldens.integers("\(name)/picked")
    let batch = RecordedTransitions(
      stackedStates: expectedChain, firstIndex: golden.firstIndex,
      transitions: picked.enumerated().map { $0 * fineTunedSteps + $1 })
    #expect(batch.sampleRows == [0, 1, 2] && batch.positions == picked)
    let subset = process.logProbabilities(
      of: batch,
      denoiser: try actor("tuned", timeStepCount: timeStepCount, rows: batch.sampleRows))
    expectClose(
      subset, try goldens["\(name)/picked-log-probabilities"], relative: lastTolerance,
      "log-probabilities of mixed transitions of \(name)")
    expectClose(
      subset.meanOfExecutedLogProbabilities(actionSteps: 3),
      try goldens["\(name)/executed-means"], relative: lastTolerance, "executed means of \(name)")
  }

  private func ddpm(_ rule: NoiseRule) -> DenoisingProcess {
    DenoisingProcess(
      sampler: DDPMSampler(.policyCosine(timeStepCount: 20), estimateLimit: 1), noiseRule: rule,
      noiseLimit: 3, finalLimit: 1, logProbabilityFloor: 0.1)
  }

  private func ddim(
    _ rule: NoiseRule, eta: DDIMSampler.Eta, noiseLimit: Float? = nil
  ) -> DenoisingProcess {
    DenoisingProcess(
      sampler: DDIMSampler(
        .policyCosine(timeStepCount: 100), count: 5, eta: eta, estimateLimit: 1,
        recomputesNoise: true, noiseLimit: noiseLimit),
      noiseRule: rule, noiseLimit: 3, finalLimit: 1, logProbabilityFloor: 0.1)
  }

  @Test func ddpmInTraining() throws {
    try check("ddpm-training", ddpm(.atLeast(0.1)), timeStepCount: 20, fineTunedSteps: 10)
    try check("ddpm-all", ddpm(.atLeast(0.1)), timeStepCount: 20, fineTunedSteps: 20)
    try check("ddpm-one", ddpm(.atLeast(0.1)), timeStepCount: 20, fineTunedSteps: 1)
  }

  @Test func ddpmInEvaluation() throws {
    try check(
      "ddpm-evaluation", ddpm(.atLeastUntilLast(1e-3)), timeStepCount: 20, fineTunedSteps: 10)
  }

  @Test func ddimInTraining() throws {
    try check(
      "ddim-training", ddim(.atLeast(0.1), eta: .fixed(1)), timeStepCount: 100,
      fineTunedSteps: 5)
    try check(
      "ddim-learned",
      ddim(.atLeast(0.1), eta: .learned(LearnedEta(size: 2, initial: 0.4)), noiseLimit: 0.9),
      timeStepCount: 100, fineTunedSteps: 3)
  }

  /// The reference samples with eta = 0 here, but takes log-probabilities with its training eta.
  @Test func ddimInEvaluation() throws {
    let process = ddim(.none, eta: .fixed(0))
    let expected = try goldens["ddim-evaluation/chains"]
    var noise = RecordedNoise([])
    let chain = process.rollout(
      from: try goldens["initial"], keeping: .all, noise: &noise,
      denoiser: try actor("tuned", timeStepCount: 100))
    expectClose(chain.stackedStates, expected, relative: 1e-5, "chain")
  }

  @Test func posterior() throws {
    let sampler = DDPMSampler(.policyCosine(timeStepCount: 20), estimateLimit: 1)
    let (base, tuned) = (
      try actor("base", timeStepCount: 20), try actor("tuned", timeStepCount: 20)
    )
    let x = try goldens["initial"]
    let means = try goldens["ddpm-training/means"]
    let stds = try goldens["ddpm-training/deviations"].elements
    #expect(stds.count == 20)
    for time in 0..<20 {
      let index = 19 - time
      let denoiser = time < 10 ? tuned : base
      let transition = sampler.transition(
        from: x, prediction: denoiser(x, .shared(Float(time))), at: .shared(index))
      expectClose(
        transition.mean, means[time], relative: time == 0 ? 5e-6 : 1e-6, "mean at \(time)")
      let std = transition.standardDeviation?.scalar ?? 0
      // The reference keeps 1e-10 at time step 0, where the posterior is a point.
      #expect(abs(std - stds[time]) <= 1e-6 * stds[time] + 1e-10)
    }
    #expect(sampler.timeSteps == (0..<20).reversed().map(Float.init))
  }
}
