import Diffusion
import NeuralNetworks
import Tensors

/// The Gaussian MLP policy that DPPO is compared with (`Gaussian_MLP` of the reference, whose names
/// its weights have).
public final class GaussianMLP: DensityNetwork {
  let base: ConfiguredMLP?
  let mean: ConfiguredMLP
  private let predictedLogVariance: MLP?
  private let std: ConfiguredStd
  let squashesMean: Bool
  let chunkShape: [Int]

  /// A network of a checked configuration; a learned standard deviation is one for each action
  /// dimension, the same in all states.
  public init(
    _ configuration: NetworkConfiguration, actionSize: Int, horizonSteps: Int, conditionSize: Int,
    random: inout some RandomSource
  ) {
    chunkShape = [horizonSteps, actionSize]
    let chunkSize = horizonSteps * actionSize
    squashesMean = configuration.squashesMean
    std = ConfiguredStd(configuration, size: actionSize)
    let (activation, usesLayerNorm) = (configuration.activation, configuration.usesLayerNorm)
    let sizes = [conditionSize] + configuration.hiddenSizes
    if configuration.stdKind == .predicted {
      base = ConfiguredMLP(
        sizes: sizes, activation: activation, outputActivation: activation,
        isResidual: configuration.isResidual, usesLayerNorm: usesLayerNorm,
        usesFinalLayerNorm: usesLayerNorm, random: &random)
      let head = [sizes[sizes.count - 1], chunkSize]
      mean = .plain(MLP(sizes: head, activation: .tanh, random: &random))
      predictedLogVariance = MLP(sizes: head, activation: .tanh, random: &random)
    } else {
      base = nil
      mean = ConfiguredMLP(
        sizes: sizes + [chunkSize], activation: activation, isResidual: configuration.isResidual,
        usesLayerNorm: usesLayerNorm, random: &random)
      predictedLogVariance = nil
    }
  }

  /// A network that predicts its standard deviation ends in the last hidden layer, from which both
  /// heads go out.
  public static func check(_ configuration: NetworkConfiguration) throws {
    let isHeaded = configuration.stdKind == .predicted
    let sizes = configuration.hiddenSizes
    try NetworkConfiguration.validateMLP(
      sizes,
      blockSizes: configuration.isResidual ? (isHeaded ? sizes.dropLast() : sizes) : nil,
      field: "hiddenSizes")
    try ConfiguredStd.check(configuration)
  }

  /// The distribution of chunks `[B, Tp, Da]`; its standard deviation broadcasts to the mean.
  public func callAsFunction(_ condition: Tensor) -> Transition {
    let features = base.map { $0(condition) } ?? condition
    let shape = [condition.shape[0]] + chunkShape
    let raw = mean(features).reshaped(to: shape)
    return Transition(
      mean: squashesMean ? raw.tanh() : raw,
      standardDeviation: std(
        predicted: predictedLogVariance.map { network in
          { lower, upper in
            // tanh covers the whole range between the bounds.
            let position = network(features).reshaped(to: shape).tanh()
            return (position + 1) * (0.5 * (upper - lower)) + lower
          }
        }))
  }

  /// `logvar`, `logvar_min`, `logvar_max`, `mlp_base.*`, `mlp_mean.*`, `mlp_logvar.*`
  public func collect(into parameters: inout NamedParameters) {
    std.collect(into: &parameters)
    parameters.add("mlp_base", base?.module)
    parameters.add("mlp_mean", mean.module)
    parameters.add("mlp_logvar", predictedLogVariance)
  }
}

/// A normal distribution whose elements are independent: evaluated, a policy acts by its mean.
extension Transition: ChunkDistribution {
  /// A draw, or the mean.
  public func chunks(_ mode: ActionMode, _ draws: ChunkDraws) -> Tensor {
    mode == .exploring ? sample(noise: draws.noise()) : mean
  }

  /// Of every element, `[B, Tp, Da]`.
  public func logDensities(of chunks: Tensor) -> Tensor { logProbability(of: chunks) }

  /// Of all that are not the same.
  public var meanLogStd: Tensor? { standardDeviation.map { $0.log().mean() } }
}
