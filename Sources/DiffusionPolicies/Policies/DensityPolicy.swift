import Configuration
import Diffusion
import Environments
import NeuralNetworks
import Tensors

/// A Gaussian policy over action chunks.
public typealias GaussianPolicy = DensityPolicy<GaussianMLP>
/// A policy that is a mixture of Gaussians over action chunks.
public typealias GaussianMixturePolicy = DensityPolicy<GaussianMixtureMLP>

/// A policy that gives the density of action chunks in one step: a chain of one transition, which
/// starts from nothing.
///
/// Unchecked sendable because weights, and with them the encoder, change only between iterations, by
/// the training loop.
public final class DensityPolicy<Network: DensityNetwork>: LikelihoodPolicy, @unchecked Sendable {
  /// Always 1.
  public let transitionCount = 1
  /// Always 0.
  public let firstTransition = 0
  /// The network being improved.
  public let network: ObservingDensityNetwork<Network>
  /// The encoder, where it does not learn and both networks have the same one.
  public private(set) var frozenEncoder: (any ObservationEncoder)?
  private let frozen: ObservingDensityNetwork<Network>
  private let freezesEncoder: Bool
  private let chunkShape: [Int]
  private let noiseLimit: Float
  let actionLimit: Float

  /// - Parameters:
  ///   - configuration: sizes and network.
  ///   - layout: what observations consist of.
  ///   - actionSize: `Da`
  ///   - noiseLimit: draws stay within that many standard deviations of the mean.
  ///   - actionLimit: executed chunks are clamped to +- this.
  ///   - encoders: know what reads the observations.
  ///   - random: draws the first weights.
  /// - Throws: `ConfigurationError` if the configuration cannot make a policy.
  public init(
    _ configuration: PolicyConfiguration, layout: ObservationLayout, actionSize: Int,
    noiseLimit: Float = 3, actionLimit: Float = 1,
    encoders: ObservationEncoderRegistry = .standard, random: RandomStream
  ) throws {
    try configuration.validate()
    func make() throws -> ObservingDensityNetwork<Network> {
      var random = random
      return try configuration.makeDensityNetwork(
        Network.self, layout, actionSize: actionSize, encoders: encoders, random: &random)
    }
    network = try make()
    frozen = try make()
    frozen.freeze()
    chunkShape = [configuration.horizonSteps, actionSize]
    self.noiseLimit = noiseLimit
    self.actionLimit = actionLimit
    freezesEncoder = !configuration.encoder.trained && !layout.cameras.isEmpty
    frozenEncoder = sharedEncoder
  }

  private var sharedEncoder: (any ObservationEncoder)? {
    freezesEncoder && network.encoder.hasWeights(of: frozen.encoder) ? network.encoder : nil
  }

  /// The network's.
  public var parameters: NamedParameters { network.parameters }
  /// The standard deviation belongs to the network.
  public var explorationParameters: NamedParameters? { nil }

  /// Gives a chunk for each row.
  ///
  /// What is evaluated later is the draw; what is executed is the draw within the action's limits.
  public func decide(
    on observations: Observations, mode: ActionMode, streams: [RandomStream]
  ) -> ChunkDecisions {
    let distribution = network(observations)
    let draw = distribution.chunks(mode, draws(streams))
    return ChunkDecisions(
      chunks: draw.clamped(to: -actionLimit, actionLimit), states: states(of: draw),
      logProbabilities: logProbabilities(distribution, draw).expandingDimension(at: 1))
  }

  /// Nothing, then the chunk: `[B, 2, Tp, Da]`.
  private func states(of chunks: Tensor) -> Tensor {
    let start = Tensor.zeros(chunks.shape).expandingDimension(at: 1)
    return .concatenated([start, chunks.expandingDimension(at: 1)], along: 1)
  }

  private func draws(_ streams: [RandomStream]) -> ChunkDraws {
    ChunkDraws(streams: streams, chunkShape: chunkShape, noiseLimit: noiseLimit)
  }

  /// Averaged over elements, then clamped: the reference's order for a Gaussian policy.
  private func logProbabilities(_ distribution: Network.Distribution, _ chunks: Tensor) -> Tensor {
    distribution.meanLogDensities(of: chunks).limitedLogProbabilities()
  }

  /// The log-probabilities `[M]` of recorded chunks.
  public func logProbabilities(
    of transitions: RecordedTransitions, observations: Observations
  ) -> Tensor {
    logProbabilities(network(observations), transitions.nextStates)
  }

  /// The mean entropy of an element.
  public func entropy(observations: Observations) -> Tensor? { network(observations).meanEntropy }

  /// The frozen network's draws.
  public func frozenStates(on observations: Observations, streams: [RandomStream]) -> Tensor {
    withoutRecording { states(of: frozen(observations).chunks(.exploring, draws(streams))) }
  }

  /// The log-probabilities of such draws.
  public func cloningLogProbabilities(of states: Tensor, observations: Observations) -> Tensor {
    let chunks = states.slice(1..<2, along: 1).reshaped(to: [states.shape[0]] + chunkShape)
    return logProbabilities(network(observations), chunks)
  }

  /// `actor.*` (frozen) and `actor_ft.*`
  public var weights: [String: Tensor] {
    frozen.parameters.values.prefixed("actor")
      .merging(network.parameters.values.prefixed("actor_ft")) { first, _ in first }
  }

  /// Takes back weights; those of a pretrained policy start both networks.
  public func load(_ weights: [String: Tensor]) throws {
    let pretrained = weights.under("network")
    let (first, last) =
      pretrained.isEmpty
      ? (weights.under("actor"), weights.under("actor_ft")) : (pretrained, pretrained)
    try network.parameters.load(last)
    try frozen.parameters.load(first)
    frozenEncoder = sharedEncoder
  }
}
