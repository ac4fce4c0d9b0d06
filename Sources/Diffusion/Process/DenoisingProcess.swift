import Tensors

/// A sampler and a denoising network seen as a Markov decision process.
///
/// The state is the sample x_k with the network's condition. The first action is the initial noise
/// x_K, drawn from a prior; every other is the next sample, drawn from the sampler's transition.
/// All are Gaussians whose densities are known. FIND (arXiv:2407.19453) improves the first action,
/// DPPO (arXiv:2409.00588) the last K', DDPO (arXiv:2305.13301) all but the first.
public struct DenoisingProcess: Sendable {
  /// Makes the transitions.
  public var sampler: any Sampler
  /// The distribution of the first action, on unit scale; N(0, I) if nil.
  public var prior: NoisePrior?
  /// How much noise transitions get when sampling.
  public var noiseRule: NoiseRule
  /// Noise is clamped to +- this: 3 in DPPO.
  public var noiseLimit: Float?
  /// The final sample is clamped to +- this: 1 in DPPO.
  public var finalLimit: Float?
  /// The minimum standard deviation under which log-probabilities are taken: sigma_prob = 0.1 in
  /// DPPO. May differ from the standard deviation that sampling used.
  public var logProbabilityFloor: Float

  /// A process that samples as the sampler says unless told otherwise.
  public init(
    sampler: any Sampler, prior: NoisePrior? = nil, noiseRule: NoiseRule = .own,
    noiseLimit: Float? = nil,
    finalLimit: Float? = nil, logProbabilityFloor: Float = 0
  ) {
    self.sampler = sampler
    self.prior = prior
    self.noiseRule = noiseRule
    self.noiseLimit = noiseLimit
    self.finalLimit = finalLimit
    self.logProbabilityFloor = logProbabilityFloor
  }

  /// The number of transitions, K: one for each run of the network.
  public var transitionCount: Int { sampler.timeSteps.count }

  /// The same process with its first action drawn from a prior.
  public func withPrior(_ prior: NoisePrior) -> DenoisingProcess {
    var process = self
    process.prior = prior
    return process
  }

  /// Draws the first action, initial noise of unit scale.
  ///
  /// - Parameters:
  ///   - shape: `[B, ...]`
  ///   - noise: asked once, whatever the prior.
  public func firstAction(_ shape: [Int], noise: inout some NoiseSource) -> Tensor {
    let unit = noise.noise(shape)
    return prior?.noise(from: unit) ?? unit
  }

  /// The log-density of first actions `[B, ...]` at every element, differentiable with respect to
  /// the prior's moments.
  public func logProbability(ofFirstAction noise: Tensor) -> Tensor {
    let shape = Array(noise.shape.dropFirst())
    precondition(
      prior.map { $0.shape == shape } ?? true,
      "first actions \(noise.shape) under a prior of shape \(prior?.shape ?? [])")
    return (prior ?? NoisePrior(standardOfShape: shape)).logDensity(of: noise)
  }

  /// Denoises from initial noise and keeps what is asked for.
  ///
  /// - Parameters:
  ///   - initialNoise: the first action, `[B, ...]` of unit scale.
  ///   - record: the states to keep.
  ///   - keepsLogProbabilities: whether to keep the kept transitions' log-probabilities too.
  ///   - noise: asked once for each stochastic transition, in order.
  ///   - denoiser: the networks with their condition.
  public func rollout(
    from initialNoise: Tensor, keeping record: ChainRecord = .sampleOnly,
    keepsLogProbabilities: Bool = false, noise: inout some NoiseSource, denoiser: StagedDenoiser
  ) -> DenoisingChain {
    let frozenCount = transitionCount - denoiser.fineTunedSteps
    precondition(
      (0...transitionCount).contains(frozenCount),
      "cannot fine-tune \(denoiser.fineTunedSteps) of \(transitionCount) denoising steps")
    return chain(
      from: initialNoise, keeping: record, keepsLogProbabilities: keepsLogProbabilities,
      noise: &noise
    ) { index, sample, timeSteps in
      (index < frozenCount ? denoiser.frozen : denoiser.fineTuned)(sample, timeSteps)
    }
  }

  /// Denoises with one network for all steps, until it throws.
  public func rollout<Failure: Error>(
    from initialNoise: Tensor, keeping record: ChainRecord = .sampleOnly,
    keepsLogProbabilities: Bool = false, noise: inout some NoiseSource,
    denoiser: (_ sample: Tensor, _ timeSteps: Broadcast<Float>) throws(Failure) -> Tensor
  ) throws(Failure) -> DenoisingChain {
    try chain(
      from: initialNoise, keeping: record, keepsLogProbabilities: keepsLogProbabilities,
      noise: &noise
    ) { _, sample, timeSteps throws(Failure) in try denoiser(sample, timeSteps) }
  }

  private func chain<Failure: Error>(
    from initialNoise: Tensor, keeping record: ChainRecord, keepsLogProbabilities: Bool,
    noise: inout some NoiseSource,
    denoiser: (Int, Tensor, Broadcast<Float>) throws(Failure) -> Tensor
  ) throws(Failure) -> DenoisingChain {
    let count = transitionCount
    let firstKept = count - record.transitionCount(of: count)
    var memory = SamplerMemory()
    var x = initialNoise  // [B, ...]
    if sampler.initialNoiseScale != 1 { x = x * sampler.initialNoiseScale }
    var states: [Tensor] = []
    var logProbabilities: [Tensor] = []
    for index in 0..<count {
      if index >= firstKept { states.append(x) }
      let prediction = try prediction(x, at: .shared(index)) {
        sample, timeSteps throws(Failure) in
        try denoiser(index, sample, timeSteps)
      }
      let transition = sampler.transition(
        from: x, prediction: prediction, at: index, memory: &memory)
      x = next(transition, at: index, noise: &noise)
      if keepsLogProbabilities && index >= firstKept {
        logProbabilities.append(logProbability(of: x, under: transition))
      }
    }
    return DenoisingChain(
      states: states + [x], logProbabilities: logProbabilities, firstIndex: firstKept)
  }

  /// The log-densities of recorded transitions under a network, at every element `[M, ...]`,
  /// differentiable with respect to the network's parameters and a learned eta.
  ///
  /// - Parameters:
  ///   - states: `[M, ...]`
  ///   - nextStates: `[M, ...]`, what the states became.
  ///   - indices: where the transitions stand among the sampler's time steps.
  ///   - denoiser: the network, with the condition of these `M` rows.
  public func logProbabilities(
    from states: Tensor, to nextStates: Tensor, at indices: Broadcast<Int>, denoiser: Denoiser
  ) -> Tensor {
    precondition(
      states.shape == nextStates.shape,
      "transitions from shape \(states.shape) to \(nextStates.shape)")
    return logProbability(
      of: nextStates, under: transition(from: states, at: indices, denoiser: denoiser))
  }

  /// The transitions of recorded states under a network, as the sampler makes them, differentiable
  /// with respect to the network's parameters and a learned eta.
  ///
  /// - Parameters:
  ///   - states: `[M, ...]`
  ///   - indices: where the transitions stand among the sampler's time steps.
  ///   - denoiser: the network, with the condition of these `M` rows.
  public func transition(
    from states: Tensor, at indices: Broadcast<Int>, denoiser: Denoiser
  ) -> Transition {
    guard let sampler = sampler as? any MarkovSampler else {
      preconditionFailure(
        "\(type(of: sampler)) has no transition densities: it remembers earlier samples")
    }
    precondition(
      indices.allSatisfy(sampler.timeSteps.indices.contains),
      "transitions \(indices) of a process with \(transitionCount)")
    return sampler.transition(
      from: states, prediction: prediction(states, at: indices, of: denoiser), at: indices)
  }

  /// As above, for a minibatch.
  public func logProbabilities(of batch: RecordedTransitions, denoiser: Denoiser) -> Tensor {
    logProbabilities(
      from: batch.states, to: batch.nextStates, at: batch.indices, denoiser: denoiser)
  }

  /// The log-densities of a chain's kept transitions under one network, `[B, ...]` each.
  public func logProbabilities(of chain: DenoisingChain, denoiser: Denoiser) -> [Tensor] {
    (0..<chain.transitionCount).map { position in
      logProbabilities(
        from: chain.states[position], to: chain.states[position + 1],
        at: .shared(chain.firstIndex + position), denoiser: denoiser)
    }
  }

  private func prediction<Failure: Error>(
    _ sample: Tensor, at indices: Broadcast<Int>,
    of denoiser: (Tensor, Broadcast<Float>) throws(Failure) -> Tensor
  ) throws(Failure) -> Tensor {
    let prediction = try denoiser(
      sampler.modelInput(sample, at: indices), indices.map { sampler.timeSteps[$0] })
    precondition(
      prediction.shape == sample.shape,
      "the network predicts shape \(prediction.shape) for samples of shape \(sample.shape)")
    return prediction
  }

  private func next(
    _ transition: Transition, at index: Int, noise: inout some NoiseSource
  ) -> Tensor {
    let isLast = index == transitionCount - 1
    let ruled = noiseRule.applied(to: transition, isLast: isLast)
    let next =
      ruled.standardDeviation == nil
      ? ruled.mean : ruled.sample(noise: noise.noise(ruled.mean.shape).limited(to: noiseLimit))
    return isLast ? next.limited(to: finalLimit) : next
  }

  private func logProbability(of next: Tensor, under transition: Transition) -> Tensor {
    transition.flooringStd(at: logProbabilityFloor).logProbability(of: next)
  }
}

/// How log-densities per element become one number for each sample.
public enum LogProbabilityReduction: String, Sendable, CaseIterable, Codable {
  /// The average over elements: an average of log-densities, on a scale that does not grow with the
  /// size of the sample. What DPPO and the released FIND use.
  case mean
  /// The sum over elements: the sample's log-density.
  case sum
  /// None: each element keeps its own.
  case perElement

  /// `[B, ...]` to `[B]`, or to itself.
  public func callAsFunction(_ logProbabilities: Tensor) -> Tensor {
    switch self {
    case .mean: logProbabilities.flattened(from: 1).mean(along: 1)
    case .sum: logProbabilities.flattened(from: 1).sum(along: 1)
    case .perElement: logProbabilities
    }
  }
}

extension Tensor {
  /// An element's log-density within the range that DPPO gives it: what lies beyond says nothing
  /// more (`newlogprobs` in the reference).
  public func limitedLogProbabilities() -> Tensor { clamped(to: -5, 2) }

  /// DPPO's likelihood of an action chunk: log-densities clamped per element, then averaged over
  /// the executed actions (arXiv:2409.00588, appendix; `newlogprobs` in the reference).
  ///
  /// - Parameter actionSteps: Ta, the actions that reach the environment.
  /// - Returns: `[B, Tp, Da]` to `[B]`.
  public func meanOfExecutedLogProbabilities(actionSteps: Int) -> Tensor {
    precondition(
      rank == 3 && (1...shape[1]).contains(actionSteps),
      "cannot average \(actionSteps) executed actions of chunks of shape \(shape)")
    let executed = slice(0..<actionSteps, along: 1)  // [B, Ta, Da]
    return LogProbabilityReduction.mean(executed.limitedLogProbabilities())
  }
}
