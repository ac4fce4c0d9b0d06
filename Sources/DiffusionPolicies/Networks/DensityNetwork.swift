import Configuration
import Environments
import NeuralNetworks
import Tensors

/// A network that gives the distribution of whole action chunks in one step: the head of a policy
/// whose density is explicit, not that of a denoising chain.
///
/// Cloning, PPO, checkpoints and evaluation are the same for all of them: another head is such a
/// class, its distribution, and a case of `NetworkConfiguration.Kind`.
public protocol DensityNetwork: Module {
  /// What it gives.
  associatedtype Distribution: ChunkDistribution

  /// A network of a checked configuration.
  ///
  /// - Parameters:
  ///   - configuration: its layers.
  ///   - actionSize: `Da`
  ///   - horizonSteps: `Tp`
  ///   - conditionSize: `Dc`
  ///   - random: draws the first weights.
  init(
    _ configuration: NetworkConfiguration, actionSize: Int, horizonSteps: Int, conditionSize: Int,
    random: inout some RandomSource)

  /// Checks what its settings must be to one another.
  ///
  /// - Throws: `ConfigurationError` naming the setting.
  static func check(_ configuration: NetworkConfiguration) throws

  /// The distributions of chunks `[Tp, Da]` after observations encoded as `[B, Dc]`.
  func callAsFunction(_ condition: Tensor) -> Distribution
}

extension NetworkConfiguration.Kind {
  /// The network of a policy whose density is explicit; nil for a denoiser.
  public var densityNetwork: (any DensityNetwork.Type)? {
    switch self {
    case .mlp, .unet: nil
    case .gaussian: GaussianMLP.self
    case .gmm: GaussianMixtureMLP.self
    }
  }

  /// Whether its policies denoise chunks in several steps.
  public var isDenoiser: Bool { densityNetwork == nil }
}

extension NetworkConfiguration {
  /// The network of a policy whose density is explicit; it sees an encoding `[B, Dc]`.
  ///
  /// - Parameter type: the network of this `kind`, or one of your own, which no kind names.
  /// - Throws: `ConfigurationError` if the numbers cannot make one.
  public func makeDensityNetwork<Network: DensityNetwork>(
    _ type: Network.Type, actionSize: Int, horizonSteps: Int, conditionSize: Int,
    random: inout some RandomSource
  ) throws -> Network {
    try check(horizonSteps: horizonSteps)
    try type.check(self)
    let kinds = Kind.allCases.filter { $0.densityNetwork == type }
    guard kinds.isEmpty || kinds.contains(kind) else {
      throw ConfigurationError.badValue(
        key: "kind", found: kind.rawValue,
        expected: "\(kinds.map(\.rawValue).joined(separator: " or ")) for a \(type)")
    }
    return Network(
      self, actionSize: actionSize, horizonSteps: horizonSteps, conditionSize: conditionSize,
      random: &random)
  }
}

/// The network of a policy whose density is explicit, which sees observations.
public final class ObservingDensityNetwork<Network: DensityNetwork>: Module {
  /// Reads the observations.
  public let encoder: any ObservationEncoder
  /// Sees their encoding.
  public let network: Network

  /// A network behind an encoder.
  public init(_ encoder: any ObservationEncoder, _ network: Network) {
    self.encoder = encoder
    self.network = network
  }

  /// The distributions of chunks `[Tp, Da]` after `B` observations.
  public func callAsFunction(_ observations: Observations) -> Network.Distribution {
    network(encoder.encoding(of: observations))
  }

  /// The network's, and `encoder.*`.
  public func collect(into parameters: inout NamedParameters) {
    network.collect(into: &parameters)
    parameters.add("encoder", encoder)
  }
}
