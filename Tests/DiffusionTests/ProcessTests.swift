import Diffusion
import NeuralNetworks
import Tensors
import TestSupport
import Testing

/// The Markov decision process: what is kept, which network runs where, and densities.
@Suite struct ProcessTests {
  /// A small policy: chunks `[B, 4, 3]` and a condition `[B, 5]`.
  private final class Policy: Module {
    let network: MLP
    let embedding = SinusoidalEmbedding(size: 8)

    init(seed: UInt64) {
      var random = RandomStream(seed: seed, purpose: "policy")
      network = MLP(sizes: [12 + 8 + 5, 32, 12], activation: .mish, random: &random)
    }

    func denoiser(_ condition: Tensor) -> Denoiser {
      { [self] sample, timeSteps in
        let count = sample.shape[0]
        let time = embedding(timeSteps.values(count: count))
        let input = Tensor.concatenated([sample.flattened(from: 1), time, condition], along: 1)
        return network(input).reshaped(to: sample.shape)
      }
    }

    func collect(into parameters: inout NamedParameters) { parameters.add("network", network) }
  }

  private let policy = Policy(seed: 1)
  private let other = Policy(seed: 2)
  private let condition = randomTensor([6, 5], seed: 3)
  private let initial = randomTensor([6, 4, 3], seed: 4)

  private func process(_ sampler: any Sampler, floor: Float = 0.1) -> DenoisingProcess {
    DenoisingProcess(
      sampler: sampler, noiseRule: .atLeast(floor), noiseLimit: 3, finalLimit: 1,
      logProbabilityFloor: floor)
  }

  private var markovSamplers: [(String, any MarkovSampler)] {
    let schedule = NoiseSchedule.policyCosine(timeStepCount: 20)
    return [
      ("ddpm", DDPMSampler(schedule, estimateLimit: 1)),
      (
        "ddim",
        DDIMSampler(
          schedule, count: 5, eta: .fixed(0.7), estimateLimit: 1, recomputesNoise: true)
      ),
      (
        "ddim-learned",
        DDIMSampler(schedule, count: 10, eta: .learned(LearnedEta(size: 3, initial: 0.6)))
      ),
      ("euler", EulerSampler(.linear(timeStepCount: 100), count: 6)),
      ("euler-ancestral", EulerAncestralSampler(.linear(timeStepCount: 100), count: 6)),
      ("flow", FlowMatchingEulerSampler(FlowSchedule(shift: 2), count: 6)),
      ("lcm", LCMSampler(.linear(timeStepCount: 100), count: 4, distilledCount: 20)),
    ]
  }

  @Test func recomputedLogProbabilitiesAreThoseOfSampling() throws {
    for (name, sampler) in markovSamplers {
      let process = process(sampler)
      var random = RandomStream(seed: 5, purpose: name)
      let chain = process.rollout(
        from: initial, keeping: .all, keepsLogProbabilities: true, noise: &random,
        denoiser: policy.denoiser(condition))
      #expect(chain.transitionCount == process.transitionCount)
      let recomputed = process.logProbabilities(of: chain, denoiser: policy.denoiser(condition))
      for (sampled, again) in zip(chain.logProbabilities, recomputed) {
        #expect(sampled.elements == again.elements, "\(name)")
      }
      // All transitions in random order in one batch: the same bits.
      let total = 6 * chain.transitionCount
      let order = random.permutation(total)
      let batch = RecordedTransitions(
        stackedStates: chain.stackedStates, firstIndex: chain.firstIndex, transitions: order)
      let mixed = process.logProbabilities(
        of: batch, denoiser: policy.denoiser(condition.gather(batch.sampleRows)))
      let stacked = try #require(chain.stackedLogProbabilities)  // [B, K', 4, 3]
      let expected = stacked.reshaped(to: [total, 4, 3]).gather(order)
      #expect(mixed.shape == expected.shape)
      #expect(mixed.elements == expected.elements, "\(name): mixed batch")
      // Another network gives others.
      let others = process.logProbabilities(of: chain, denoiser: other.denoiser(condition))
      #expect(others[0].elements != recomputed[0].elements)
    }
  }

  @Test func gradientsByFiniteDifferences() throws {
    let eta = LearnedEta(size: 3, initial: 0.6)
    let sampler = DDIMSampler(.policyCosine(timeStepCount: 20), count: 5, eta: .learned(eta))
    // No clamps, and little room for the floor: clamps have kinks, which differences step over.
    let process = DenoisingProcess(sampler: sampler, logProbabilityFloor: 0.3)
    var random = RandomStream(seed: 6)
    let chain = process.rollout(
      from: initial, keeping: .last(4), noise: &random, denoiser: policy.denoiser(condition))
    let batch = RecordedTransitions(
      stackedStates: chain.stackedStates, firstIndex: chain.firstIndex,
      transitions: [0, 5, 9, 14, 22, 17])
    let rows = condition.gather(batch.sampleRows)
    let weights = randomTensor([6, 4, 3], seed: 7)
    func objective() -> Tensor {
      (process.logProbabilities(of: batch, denoiser: other.denoiser(rows)) * weights).mean()
    }
    let gradients = valueAndGradients(objective).gradients
    var parameters = other.parameters.map { $0 }
    parameters += eta.parameters.map { $0 }
    #expect(parameters.count == 5)
    for (name, parameter) in parameters {
      let gradient = try #require(gradients[parameter.leaf], "no gradient of \(name)")
      #expect(gradient.shape == parameter.value.shape)
      let scale = gradient.elements.map { abs($0) }.max() ?? 0
      #expect(scale > 1e-5, "\(name) has no influence")
      let original = parameter.value
      for position in stride(from: 0, to: original.count, by: max(1, original.count / 12)) {
        func value(_ change: Float) -> Double {
          var elements = original.elements
          elements[position] += change
          parameter.value = Tensor(shape: original.shape, elements: elements)
          defer { parameter.value = original }
          // Summed in double precision.
          let values = process.logProbabilities(of: batch, denoiser: other.denoiser(rows))
          return zip(values.elements, weights.elements)
            .reduce(0) { $0 + Double($1.0) * Double($1.1) } / Double(weights.count)
        }
        let difference = Float((value(4e-3) - value(-4e-3)) / 8e-3)
        let error = abs(gradient.elements[position] - difference)
        #expect(
          error <= 5e-3 * scale + 1e-5,
          "\(name)[\(position)]: \(gradient.elements[position]), by differences \(difference)")
      }
    }
  }

  @Test func frozenNetworkRunsOnlyTheFirstSteps() {
    let count = 20
    for fineTunedSteps in [0, 1, 10, count] {
      let process = process(DDPMSampler(.policyCosine(timeStepCount: count), estimateLimit: 1))
      var frozenTimes: [Float] = []
      var fineTunedTimes: [Float] = []
      let (frozen, fineTuned) = (policy.denoiser(condition), other.denoiser(condition))
      func values(_ times: Broadcast<Float>) -> Float { times.values(count: 1)[0] }
      let networks = StagedDenoiser(
        frozen: { sample, times in
          frozenTimes.append(values(times))
          return frozen(sample, times)
        },
        fineTuned: { sample, times in
          fineTunedTimes.append(values(times))
          return fineTuned(sample, times)
        },
        fineTunedSteps: fineTunedSteps)
      var random = RandomStream(seed: 8)
      let chain = process.rollout(
        from: initial, keeping: .last(fineTunedSteps), keepsLogProbabilities: true,
        noise: &random, denoiser: networks)
      #expect(frozenTimes == (fineTunedSteps..<count).reversed().map(Float.init))
      #expect(fineTunedTimes == (0..<fineTunedSteps).reversed().map(Float.init))
      #expect(chain.states.count == fineTunedSteps + 1)
      #expect(chain.logProbabilities.count == fineTunedSteps)
      #expect(chain.firstIndex == count - fineTunedSteps)
      #expect(chain.stackedStates.shape == [6, fineTunedSteps + 1, 4, 3])
      // The kept log-probabilities are the fine-tuned network's.
      let recomputed = process.logProbabilities(of: chain, denoiser: fineTuned)
      #expect(recomputed.map(\.elements) == chain.logProbabilities.map(\.elements))
      if fineTunedSteps == count { #expect(chain.states[0].elements == initial.elements) }
    }
  }

  @Test func recordsAreViewsOfOneChain() {
    let process = process(DDPMSampler(.policyCosine(timeStepCount: 10)))
    func chain(_ record: ChainRecord) -> DenoisingChain {
      var random = RandomStream(seed: 9)
      return process.rollout(
        from: initial, keeping: record, noise: &random, denoiser: policy.denoiser(condition))
    }
    let (all, last, sample) = (chain(.all), chain(.last(3)), chain(.sampleOnly))
    #expect(all.states.count == 11 && last.states.count == 4 && sample.states.count == 1)
    #expect(all.states.suffix(4).map(\.elements) == last.states.map(\.elements))
    #expect(all.sample.elements == sample.sample.elements)
    #expect(all.logProbabilities.isEmpty && all.stackedLogProbabilities == nil)
    #expect(sample.sample.elements.allSatisfy { abs($0) <= 1 })
  }

  @Test func aSamplesNoiseDoesNotDependOnItsBatch() {
    let process = process(DDPMSampler(.policyCosine(timeStepCount: 10), estimateLimit: 1))
    func samples(_ indices: [Int]) -> Tensor {
      var streams = SampleStreams(seed: 10, purpose: "chunks", indices: indices)
      let initial = streams.noise([indices.count, 4, 3])
      return process.rollout(
        from: initial, noise: &streams, denoiser: policy.denoiser(condition.gather(indices))
      ).sample
    }
    let together = samples([0, 1, 2, 3, 4, 5])
    #expect(samples([4])[0].elements == together[4].elements)
    #expect(samples([5, 2])[1].elements == together[2].elements)
    #expect(together[0].elements != together[1].elements)
  }

  @Test func deterministicStepsDrawNoNoise() {
    let schedule = NoiseSchedule.scaledLinear()
    let samplers: [(any Sampler, Int)] = [
      (DDIMSampler(schedule, count: 5), 0), (EulerSampler(schedule, count: 5), 0),
      (HeunSampler(schedule, count: 5), 0), (DPMSolverSampler(schedule, count: 5), 0),
      (FlowMatchingEulerSampler(FlowSchedule(), count: 5), 0),
      (PNDMSampler(schedule, count: 5), 0), (UniPCSampler(schedule, count: 5), 0),
      (DPMSolverSampler(schedule, count: 5, isStochastic: true), 4),
      (LCMSampler(schedule, count: 5), 4),
      (DDPMSampler(schedule, count: 5), 4), (EulerAncestralSampler(schedule, count: 5), 4),
      (DDIMSampler(schedule, count: 5, eta: .fixed(1)), 4),
    ]
    for (sampler, draws) in samplers {
      var noise = RecordedNoise([Tensor](repeating: initial, count: 9))
      let denoiser = policy.denoiser(condition)
      _ = DenoisingProcess(sampler: sampler).rollout(
        from: initial, noise: &noise, denoiser: denoiser)
      #expect(noise.remainingCount == 9 - draws, "\(sampler)")
      _ = DenoisingProcess(sampler: sampler, noiseRule: .none).rollout(
        from: initial, noise: &noise, denoiser: denoiser)
      #expect(noise.remainingCount == 9 - draws, "\(sampler) without noise")
    }
  }

  /// Song et al., section 4.1: with eta = 1 DDIM is DDPM. With clamped estimates only if the noise
  /// is recomputed from them.
  @Test func ddimWithFullEtaIsDDPM() {
    for prediction in PredictionType.allCases {
      for (limit, recomputes) in [(nil, false), (1, true)] as [(Float?, Bool)] {
        let schedule = NoiseSchedule.scaledLinear()
        let ddpm = DDPMSampler(
          schedule, count: 20, predictionType: prediction, estimateLimit: limit)
        let ddim = DDIMSampler(
          schedule, count: 20, predictionType: prediction, eta: .fixed(1), estimateLimit: limit,
          recomputesNoise: recomputes)
        func chain(_ sampler: any Sampler) -> DenoisingChain {
          var random = RandomStream(seed: 11)
          return DenoisingProcess(sampler: sampler).rollout(
            from: initial, keeping: .all, noise: &random, denoiser: policy.denoiser(condition))
        }
        for (index, (a, b)) in zip(chain(ddpm).states, chain(ddim).states).enumerated() {
          expectClose(a, b, relative: 2e-5, "\(prediction), state \(index)")
        }
      }
    }
  }

  /// The identity that the samplers' linspace option breaks in diffusers: one noiseless DDIM step
  /// leads where the next one starts.
  @Test func ddimRecoversTheSampleFromTrueNoise() {
    let schedule = NoiseSchedule.scaledLinear()
    let clean = randomTensor([6, 4, 3], seed: 12)
    for spacing in TimeStepSpacing.allCases {
      let sampler = DDIMSampler(schedule, count: 7, spacing: spacing)
      let first = Broadcast.shared(Int(sampler.timeSteps[0]))
      var noise = RecordedNoise([])
      let noisy = schedule.noisySample(clean, noise: initial, at: first)
      let chain = DenoisingProcess(sampler: sampler).rollout(
        from: noisy, keeping: .all, noise: &noise
      ) { [initial] _, _ in initial }
      expectClose(chain.sample, clean, relative: 1e-4, "\(spacing)")
      let second = Broadcast.shared(Int(sampler.timeSteps[1]))
      expectClose(
        chain.states[1], schedule.noisySample(clean, noise: initial, at: second),
        relative: 1e-5, "\(spacing), second state")
    }
  }

  /// Images `[B, H, W, C]` go the same way as action chunks.
  @Test func images() {
    let process = DenoisingProcess(
      sampler: DDIMSampler(.scaledLinear(), count: 4, eta: .fixed(1)), logProbabilityFloor: 0.01)
    var streams = SampleStreams(seed: 13, indices: 0..<2)
    let initial = streams.noise([2, 8, 8, 3])
    let chain = process.rollout(
      from: initial, keeping: .all, keepsLogProbabilities: true, noise: &streams
    ) { sample, _ in (sample * 0.5).tanh() }
    let batch = RecordedTransitions(
      stackedStates: chain.stackedStates, firstIndex: 0, transitions: [7, 0])
    let values = process.logProbabilities(of: batch) { sample, _ in (sample * 0.5).tanh() }
    #expect(values.shape == [2, 8, 8, 3])
    #expect(values[0].elements == chain.logProbabilities[3][1].elements)
    #expect(values[1].elements == chain.logProbabilities[0][0].elements)
  }

  @Test func reductions() {
    let values = Tensor(shape: [2, 2, 2], elements: [1, 2, 3, -10, 0, 1, -2, 9])
    #expect(LogProbabilityReduction.sum(values).elements == [-4, 8])
    #expect(LogProbabilityReduction.mean(values).elements == [-1, 2])
    #expect(LogProbabilityReduction.perElement(values).elements == values.elements)
    #expect(values.meanOfExecutedLogProbabilities(actionSteps: 2).elements == [0, 0.25])
    #expect(values.meanOfExecutedLogProbabilities(actionSteps: 1).elements == [1.5, 0.5])
    let rolled = Transition(mean: Tensor([1, 2]), standardDeviation: Tensor([0.05, 2]))
    #expect(rolled.flooringStd(at: 0.1).standardDeviation?.elements == [0.1, 2])
  }

  @Test func learnedEtaStartsWhereItIsTold() {
    let eta = LearnedEta(size: 2, initial: 0.35, range: 0.1...1)
    #expect(eta.value.elements.allSatisfy { abs($0 - 0.35) < 1e-6 })
    eta.logit.value = Tensor([-50, 50])
    #expect(zip(eta.value.elements, [0.1, 1]).allSatisfy { abs($0 - $1) < 1e-6 })
    #expect(eta.parameters.map(\.name) == ["eta_logit"])
  }
}
