import Configuration
import Diffusion
import Environments
import NeuralNetworks
import Tensors

/// A diffusion policy as DPPO improves it (arXiv:2409.00588): a frozen network runs the first
/// denoising steps, its fine-tuned copy the last K'.
///
/// Unchecked sendable because K' and the frozen network change only between iterations, by the
/// training loop.
public final class DiffusionPolicy: LikelihoodPolicy, @unchecked Sendable {
  /// How chunks are explored and evaluated; DPPO's numbers.
  public struct Exploration: Settings {
    /// sigma_exp: the minimum standard deviation of transitions in training.
    @Setting(.notNegative) public var minSamplingStd: Float = 0.1
    /// sigma_prob: the minimum standard deviation under which transitions are evaluated.
    /// Log-densities are clamped to 2, as in the reference: below 0.054 the most likely ones have
    /// no gradient.
    @Setting(.positive) public var minLogProbStd: Float = 0.1
    /// Whether all predicted actions are evaluated, as the denoising process' own policy gradient
    /// has it, or, as in the reference, only those that are executed: what is not executed is
    /// denoised together with what is, and moves it.
    public var usesWholeChunkLogProb = false
    /// Noise is clamped to +- this.
    @Setting(.positive) public var noiseLimit: Float = 3
    /// Chunks are clamped to +- this.
    @Setting(.positive) public var actionLimit: Float = 1
    /// DDIM's eta in training; `policy.ddimEta` is that of scoring and use.
    @Setting(.fraction) public var eta: Float = 1
    /// Whether eta is learned for each action dimension, between `minEta` and 1, from `eta`.
    public var learnsEta = false
    /// The minimum learned eta.
    @Setting(0...0.99) public var minEta: Float = 0.1

    /// DPPO's numbers.
    public init() {}
  }

  /// The pretrained network.
  public private(set) var frozen: ObservingDenoiser
  /// The network being improved; the frozen one if nothing is.
  public let fineTuned: ObservingDenoiser
  /// K'
  public private(set) var transitionCount: Int
  /// The learned eta, if it is.
  public let learnedEta: LearnedEta?
  private let configuration: PolicyConfiguration
  private let actionSize: Int
  private let exploring: DenoisingProcess
  /// The chain as the policy acts when it is evaluated and used.
  let evaluating: DenoisingProcess
  /// How many of a chunk's actions count in its log-probability.
  private let scoredCount: Int
  private let makeNetwork: () throws -> ObservingDenoiser
  /// Whether images are read by an encoder that does not learn.
  private let freezesEncoder: Bool

  /// - Parameters:
  ///   - configuration: sizes and denoising.
  ///   - exploration: the noise of training.
  ///   - layout: what observations consist of.
  ///   - actionSize: `Da`
  ///   - transitionCount: K', from 0 to the number of denoising steps.
  ///   - encoders: know what reads the observations.
  ///   - random: draws the first weights.
  /// - Throws: `ConfigurationError` if the configuration cannot make a policy.
  public init(
    _ configuration: PolicyConfiguration, exploration: Exploration = Exploration(),
    layout: ObservationLayout, actionSize: Int, transitionCount: Int = 0,
    encoders: ObservationEncoderRegistry = .standard, random: RandomStream
  ) throws {
    try configuration.validate()
    try exploration.validate()
    let denoising = configuration.denoising
    try ConfigurationError.require(
      (0...denoising.transitionCount).contains(transitionCount), "fineTunedSteps",
      transitionCount, "0 to the number of denoising steps, \(denoising.transitionCount)")
    try ConfigurationError.require(
      !exploration.learnsEta || denoising.sampler == .ddim, "learnsEta", "true",
      "false unless the sampler is ddim")
    let makeNetwork = {
      var random = random
      return try configuration.makeDenoiser(
        layout, actionSize: actionSize, encoders: encoders, random: &random)
    }
    self.makeNetwork = makeNetwork
    self.configuration = configuration
    self.actionSize = actionSize
    freezesEncoder = !configuration.encoder.trained && !layout.cameras.isEmpty
    scoredCount =
      exploration.usesWholeChunkLogProb ? configuration.horizonSteps : configuration.actionSteps
    self.transitionCount = transitionCount
    fineTuned = try makeNetwork()
    if transitionCount > 0 {
      frozen = try makeNetwork()
      frozen.freeze()
    } else {
      frozen = fineTuned
    }
    learnedEta =
      exploration.learnsEta && denoising.sampler == .ddim
      ? LearnedEta(
        size: actionSize,
        initial: min(max(exploration.eta, exploration.minEta + 1e-3), 1 - 1e-3),
        range: exploration.minEta...1)
      : nil
    let eta = learnedEta.map { DDIMSampler.Eta.learned($0) } ?? .fixed(exploration.eta)
    exploring = DenoisingProcess(
      sampler: Self.sampler(denoising, eta: eta),
      noiseRule: .atLeast(exploration.minSamplingStd), noiseLimit: exploration.noiseLimit,
      finalLimit: exploration.actionLimit,
      logProbabilityFloor: exploration.minLogProbStd)
    evaluating = DenoisingProcess(
      sampler: Self.sampler(denoising, eta: .fixed(denoising.ddimEta)),
      noiseRule: denoising.sampler == .ddpm ? .atLeastUntilLast(1e-3) : .own,
      noiseLimit: exploration.noiseLimit, finalLimit: exploration.actionLimit,
      logProbabilityFloor: exploration.minLogProbStd)
    frozenEncoder = sharedEncoder
  }

  private static func sampler(
    _ denoising: DenoisingConfiguration, eta: DDIMSampler.Eta
  ) -> any MarkovSampler {
    let schedule = NoiseSchedule.policyCosine(timeStepCount: denoising.stepCount)
    switch denoising.sampler {
    case .ddpm:
      return DDPMSampler(schedule, variance: .fixedSmall, estimateLimit: denoising.estimateLimit)
    case .ddim:
      return DDIMSampler(
        schedule, count: denoising.ddimStepCount, eta: eta,
        estimateLimit: denoising.estimateLimit, recomputesNoise: true)
    }
  }

  /// The place of the first improved transition.
  public var firstTransition: Int { exploring.transitionCount - transitionCount }

  /// The fine-tuned network's.
  public var parameters: NamedParameters { fineTuned.parameters }

  /// The learned eta's.
  public var explorationParameters: NamedParameters? { learnedEta?.parameters }

  /// The encoder, where it does not learn and both networks have the same one.
  public private(set) var frozenEncoder: (any ObservationEncoder)?

  private var sharedEncoder: (any ObservationEncoder)? {
    freezesEncoder && fineTuned.encoder.hasWeights(of: frozen.encoder) ? fineTuned.encoder : nil
  }

  /// Denoises a chunk for each row.
  public func decide(
    on observations: Observations, mode: ActionMode, streams: [RandomStream]
  ) -> ChunkDecisions {
    var observations = observations
    // Once for both networks.
    if let frozenEncoder, observations.encoding == nil {
      observations.encoding = frozenEncoder(observations)
    }
    let chain = self.chain(
      on: observations, mode: mode, keepsLogProbabilities: mode == .exploring, streams: streams,
      denoiser: denoiser(observations))
    let logProbabilities = chain.logProbabilities.map {
      reduced($0).expandingDimension(at: 1)  // [B, 1]
    }
    return ChunkDecisions(
      chunks: chain.sample, states: chain.stackedStates,
      logProbabilities: logProbabilities.isEmpty
        ? .zeros([observations.count, 0]) : .concatenated(logProbabilities, along: 1))
  }

  private func chain(
    on observations: Observations, mode: ActionMode, keepsLogProbabilities: Bool,
    streams: [RandomStream], denoiser: StagedDenoiser
  ) -> DenoisingChain {
    let process = mode == .exploring ? exploring : evaluating
    var noise = RecordedNoise(
      drawing: process.transitionCount + 1,
      ofRowShape: [configuration.horizonSteps, actionSize], from: streams)
    let initial = noise.noise([
      observations.count, configuration.horizonSteps, actionSize,
    ])
    return process.rollout(
      from: initial, keeping: .last(mode == .exploring ? transitionCount : 0),
      keepsLogProbabilities: keepsLogProbabilities, noise: &noise, denoiser: denoiser)
  }

  /// Chunks with the noise of training, `[B, Tp, Da]`, differentiable through all denoising steps of the
  /// fine-tuned network where that is recorded; of a policy that is one network.
  ///
  /// - Parameter noise: the initial noise, and that of each step, `[1 + K, B, Tp, Da]`.
  func exploredChunks(on observations: Observations, noise: Tensor) -> Tensor {
    var draws = RecordedNoise((0..<noise.shape[0]).map { noise[$0] })
    let initial = draws.noise(Array(noise.shape.dropFirst()))
    let denoiser: Denoiser = { [fineTuned] chunks, timeSteps in
      fineTuned(chunks, timeSteps: timeSteps, observations: observations)
    }
    return exploring.rollout(
      from: initial, noise: &draws, denoiser: StagedDenoiser(denoiser)
    ).sample
  }

  /// The denoising steps of a chunk with the noise of training.
  var exploringTransitionCount: Int { exploring.transitionCount }

  func denoiser(_ observations: Observations) -> StagedDenoiser {
    // Exploring and evaluating differ in their noise, not in their times.
    let times = exploring.sampler.timeSteps
    guard transitionCount > 0, transitionCount < exploring.transitionCount else {
      return StagedDenoiser(fineTuned.bound(to: observations, times: times))
    }
    return StagedDenoiser(
      frozen: frozen.bound(to: observations, times: Array(times[..<firstTransition])),
      fineTuned: fineTuned.bound(to: observations, times: Array(times[firstTransition...])),
      fineTunedSteps: transitionCount)
  }

  /// Log-densities clamped per element and averaged over the actions that are evaluated.
  private func reduced(_ logProbabilities: Tensor) -> Tensor {
    logProbabilities.meanOfExecutedLogProbabilities(actionSteps: scoredCount)
  }

  /// The log-probabilities `[M]` of recorded transitions under the fine-tuned network.
  public func logProbabilities(
    of transitions: RecordedTransitions, observations: Observations
  ) -> Tensor {
    let observations = fineTuned.encoder.encodingEachOnce(
      observations, decisions: transitions.sampleRows)
    return reduced(
      exploring.logProbabilities(of: transitions) { [fineTuned] chunks, timeSteps in
        fineTuned(chunks, timeSteps: timeSteps, observations: observations)
      })
  }

  /// The learned eta; transitions have no other entropy that could change.
  public func entropy(observations: Observations) -> Tensor? { learnedEta?.value.mean() }

  /// The last K' transitions of the frozen network's chains, with the noise of training.
  public func frozenStates(on observations: Observations, streams: [RandomStream]) -> Tensor {
    withoutRecording {
      chain(
        on: observations, mode: .exploring, keepsLogProbabilities: false, streams: streams,
        denoiser: StagedDenoiser(
          frozen.bound(to: observations, times: exploring.sampler.timeSteps))
      ).stackedStates
    }
  }

  /// Log-densities clamped per element and averaged over the whole chunk, as in the reference: not
  /// only over what is executed.
  public func cloningLogProbabilities(of states: Tensor, observations: Observations) -> Tensor {
    let chain = DenoisingChain(
      states: (0..<states.shape[1]).map {
        states.slice($0..<($0 + 1), along: 1).reshaped(to: [states.shape[0]] + states.shape[2...])
      },
      firstIndex: firstTransition)
    let denoiser: Denoiser = { [fineTuned] chunks, timeSteps in
      fineTuned(chunks, timeSteps: timeSteps, observations: observations)
    }
    let steps = exploring.logProbabilities(of: chain, denoiser: denoiser).map {
      LogProbabilityReduction.mean($0.limitedLogProbabilities())
    }
    return steps.dropFirst().reduce(steps[0], +) / Float(steps.count)
  }

  /// Lets the present network run all but the last `count` transitions from now on: K' annealed.
  ///
  /// - Throws: what making a network throws.
  public func reduceTransitionCount(to count: Int) throws {
    precondition(
      (1...transitionCount).contains(count), "cannot reduce K' = \(transitionCount) to \(count)")
    frozen = try makeNetwork()
    frozen.freeze()
    try frozen.parameters.load(fineTuned.parameters.values)
    transitionCount = count
  }

  /// `network.*` of a policy that is not being fine-tuned; else `actor.*` (frozen), `actor_ft.*`
  /// and `eta.*`.
  public var weights: [String: Tensor] {
    guard transitionCount > 0 else { return fineTuned.parameters.values.prefixed("network") }
    var weights = fineTuned.parameters.values.prefixed("actor_ft")
    weights.merge(frozen.parameters.values.prefixed("actor")) { first, _ in first }
    if let learnedEta {
      weights.merge(learnedEta.parameters.values.prefixed("eta")) { first, _ in first }
    }
    return weights
  }

  /// Takes back weights; those of a pretrained policy start both networks.
  public func load(_ weights: [String: Tensor]) throws {
    let pretrained = weights.under("network")
    let (first, last) =
      pretrained.isEmpty
      ? (weights.under("actor"), weights.under("actor_ft")) : (pretrained, pretrained)
    try fineTuned.parameters.load(last)
    if transitionCount > 0 { try frozen.parameters.load(first) }
    frozenEncoder = sharedEncoder
    let eta = weights.under("eta")
    if let learnedEta, !eta.isEmpty { try learnedEta.parameters.load(eta) }
  }
}
