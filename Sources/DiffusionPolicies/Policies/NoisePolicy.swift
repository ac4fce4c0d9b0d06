import Configuration
import Diffusion
import Environments
import NeuralNetworks
import ReinforcementLearning
import Tensors

/// The hidden layers of a small network, such as a critic or an actor over noise.
public struct HiddenLayers: Settings {
  /// Their sizes.
  public var hiddenSizes = [256, 256, 256]
  /// After each of them.
  public var activation = Activation.tanh
  /// Whether each is normalized before its activation.
  public var usesLayerNorm = true

  /// Three layers of 256 with tanh, normalized.
  public init() {}

  /// Layers have a size.
  public func checkRelations() throws {
    try NetworkConfiguration.validateMLP(hiddenSizes, blockSizes: nil, field: "hiddenSizes")
  }

  /// Critics of inputs of that size.
  func makeCritics(inputSize: Int, count: Int, random: RandomStream) -> CriticEnsemble {
    CriticEnsemble(
      inputSize: inputSize, hiddenSizes: hiddenSizes, activation: activation,
      usesLayerNorm: usesLayerNorm, count: count, random: random)
  }
}

/// What chooses the initial noise of a diffusion policy, as checkpoints keep it.
public struct NoisePolicyConfiguration: Settings {
  /// The hidden layers of the actor.
  public var actor = HiddenLayers()
  /// b: noise is chosen between -b and b (`action_magnitude`).
  @Setting(.positive) public var magnitude = 1.5

  /// DSRL's for Hopper, with larger layers.
  public init() {}
}

/// A frozen diffusion policy whose initial noise is chosen after the state (DSRL, Wagenmaker et al.,
/// arXiv:2506.15799): w = b tanh(mean(s) + std(s) e), chunk = D(s, w), where D is deterministic. It
/// explores by drawing e, and is evaluated with the mean.
///
/// Unchecked sendable because weights change only between decisions, by the training loop.
public final class NoisePolicy: TrainablePolicy, @unchecked Sendable {
  /// What denoises; it never changes.
  public let base: DiffusionPolicy
  /// Chooses noise over b.
  public let actor: TanhGaussianActor
  /// b
  public let magnitude: Float
  /// Whether it draws noise when it is evaluated too, as the best of several chunks needs it.
  private let samplesInEvaluation: Bool
  private let chunkShape: [Int]

  /// - Parameters:
  ///   - base: denoises; DDIM with eta 0.
  ///   - configuration: the actor.
  ///   - policy: that of the base.
  ///   - layout: what observations consist of.
  ///   - actionSize: `Da`
  ///   - samplesInEvaluation: whether it draws noise when it is evaluated too.
  ///   - random: draws the first weights.
  /// - Throws: `ConfigurationError` if the base draws noise of its own, or sees images.
  public init(
    _ base: DiffusionPolicy, _ configuration: NoisePolicyConfiguration,
    policy: PolicyConfiguration, layout: ObservationLayout, actionSize: Int,
    samplesInEvaluation: Bool = false, random: RandomStream
  ) throws {
    try configuration.validate()
    let denoising = policy.denoising
    try ConfigurationError.require(
      denoising.sampler == .ddim, "policy.sampler", denoising.sampler.rawValue,
      "ddim, which makes a chunk of initial noise alone (policy.sampler=ddim policy.ddimStepCount=5)"
    )
    try ConfigurationError.require(
      denoising.ddimEta == 0, "policy.ddimEta", denoising.ddimEta,
      "0, so that the initial noise alone decides a chunk")
    try ConfigurationError.require(
      layout.cameras.isEmpty, "checkpoint", "a policy that sees images",
      "one that sees states alone: the actor of initial noise and its critics read no images")
    base.fineTuned.freeze()
    self.base = base
    chunkShape = [policy.horizonSteps, actionSize]
    magnitude = Float(configuration.magnitude)
    self.samplesInEvaluation = samplesInEvaluation
    actor = TanhGaussianActor(
      observationSize: layout.stepCount * layout.stateSize,
      actionSize: policy.horizonSteps * actionSize, hiddenSizes: configuration.actor.hiddenSizes,
      activation: configuration.actor.activation,
      usesLayerNorm: configuration.actor.usesLayerNorm, random: random)
  }

  /// The actor's.
  public var parameters: NamedParameters { actor.parameters }

  /// The base's, and `noise.*`.
  public var weights: [String: Tensor] {
    base.weights.merging(actor.parameters.values.prefixed("noise")) { first, _ in first }
  }

  /// Chooses noise and denoises it.
  public func decide(
    on observations: Observations, mode: ActionMode, streams: [RandomStream]
  ) -> ChunkDecisions {
    let state = observations.state.flattened(from: 1)
    let choice =
      mode == .exploring || samplesInEvaluation
      ? actor.sample(state, noise: Self.noise(actor.actionSize, streams)).actions
      : actor.meanActions(state)
    let chunks = chunks(ofNoise: choice * magnitude, on: observations)
    return ChunkDecisions(
      chunks: chunks, states: chunks.expandingDimension(at: 1),
      logProbabilities: .zeros([observations.count, 0]))
  }

  /// The chunks `[N, Tp, Da]` that initial noise `[N, Tp Da]` becomes. Not recorded.
  func chunks(ofNoise noise: Tensor, on observations: Observations) -> Tensor {
    withoutRecording {
      base.chunks(
        ofInitialNoise: noise.reshaped(to: [observations.count] + chunkShape), on: observations)
    }
  }

  /// `[B, size]` from N(0, I), each row by its own stream.
  static func noise(_ size: Int, _ streams: [RandomStream]) -> Tensor {
    .stacked(
      streams.map { stream in
        var stream = stream
        return stream.normal([size])
      })
  }
}

extension DiffusionPolicy {
  /// The chunks that given initial noise becomes, `[B, Tp, Da]`; of a policy that draws no other.
  func chunks(ofInitialNoise noise: Tensor, on observations: Observations) -> Tensor {
    var none = RecordedNoise([])
    return evaluating.rollout(
      from: noise, noise: &none, denoiser: denoiser(observations)
    ).sample
  }
}
