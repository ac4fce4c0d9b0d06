import NeuralNetworks
import Tensors

/// The Gaussian mixture policy that DPPO is compared with (`GMM_MLP` of the reference, whose names
/// its weights have): three MLPs give the means, the standard deviations and the weights of modes.
public final class GaussianMixtureMLP: DensityNetwork {
  private let mean: ConfiguredMLP
  private let predictedLogVariance: ConfiguredMLP?
  private let weights: ConfiguredMLP
  private let std: ConfiguredStd
  private let squashesMean: Bool
  /// `[G, Tp, Da]`
  private let modeShape: [Int]

  /// A network of a checked configuration; a learned standard deviation is one for each mode and
  /// action dimension, the same in all states.
  public init(
    _ configuration: NetworkConfiguration, actionSize: Int, horizonSteps: Int, conditionSize: Int,
    random: inout some RandomSource
  ) {
    modeShape = [configuration.modes, horizonSteps, actionSize]
    squashesMean = configuration.squashesMean
    std = ConfiguredStd(configuration, size: configuration.modes * actionSize)
    func mlp(_ outputSize: Int) -> ConfiguredMLP {
      ConfiguredMLP(
        sizes: [conditionSize] + configuration.hiddenSizes + [outputSize],
        activation: configuration.activation, isResidual: configuration.isResidual,
        usesLayerNorm: configuration.usesLayerNorm, random: &random)
    }
    let size = modeShape.reduce(1, *)
    mean = mlp(size)
    predictedLogVariance = configuration.stdKind == .predicted ? mlp(size) : nil
    weights = mlp(configuration.modes)
  }

  /// Each of the networks has all hidden layers.
  public static func check(_ configuration: NetworkConfiguration) throws {
    let sizes = configuration.hiddenSizes
    try NetworkConfiguration.validateMLP(
      sizes, blockSizes: configuration.isResidual ? sizes : nil, field: "hiddenSizes")
    try ConfiguredStd.check(configuration)
  }

  /// The mixtures of `B` rows; a predicted log-variance beyond its bounds is clamped.
  public func callAsFunction(_ condition: Tensor) -> GaussianMixture {
    let shape = [condition.shape[0]] + modeShape
    let raw = mean(condition).reshaped(to: shape)
    let std = std(
      predicted: predictedLogVariance.map { network in
        { lower, upper in network(condition).reshaped(to: shape).clamped(to: lower, upper) }
      })
    // A learned one, `[G Da]`, is the same for all actions of a chunk.
    let perMode = std.rank == 1 ? std.reshaped(to: [modeShape[0], 1, modeShape[2]]) : std
    return GaussianMixture(
      means: squashesMean ? raw.tanh() : raw, standardDeviations: perMode,
      logits: weights(condition))
  }

  /// `logvar`, `logvar_min`, `logvar_max`, `mlp_mean.*`, `mlp_logvar.*`, `mlp_weights.*`
  public func collect(into parameters: inout NamedParameters) {
    std.collect(into: &parameters)
    parameters.add("mlp_mean", mean.module)
    parameters.add("mlp_logvar", predictedLogVariance?.module)
    parameters.add("mlp_weights", weights.module)
  }
}
