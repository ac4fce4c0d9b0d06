import Configuration
import NeuralNetworks
import Tensors

/// The choices that make a policy's network, as presets and checkpoints keep them.
public struct NetworkConfiguration: Settings {
  /// The kinds of policy networks.
  public enum Kind: String, Sendable, Codable, CaseIterable {
    /// `DiffusionMLP`
    case mlp
    /// `Unet1D`
    case unet
    /// `GaussianMLP`, which is no denoiser.
    case gaussian
  }

  /// Where a Gaussian policy's deviation comes from.
  public enum Deviation: String, Sendable, Codable, CaseIterable {
    /// It stays at `deviation`.
    case fixed
    /// A parameter for each action dimension that starts at `deviation`.
    case learned
    /// A second head of the network.
    case predicted
  }

  /// The kind of network.
  public var kind = Kind.mlp
  /// Hidden layers of a perceptron; of one width and of odd number if residual.
  public var hiddenSizes = [512, 512, 512]
  /// Between layers.
  public var activation = Activation.relu
  /// Whether a perceptron's hidden layers are residual blocks.
  public var isResidual = true
  /// Whether a perceptron's hidden layers are normalized.
  public var usesLayerNorm = false
  /// The width of the time embedding of a diffusion policy.
  @Setting(.evenWidth) public var timeEmbeddingSize = 16
  /// A diffusion policy's perceptron on the observations; empty for none.
  public var observationSizes: [Int] = []

  /// U-Net: the channels of the first level.
  @Setting(1...65_536) public var width = 64
  /// U-Net: each level's channels over `width`.
  public var multipliers = [1, 2, 4]
  /// U-Net: the length of convolutions.
  @Setting(.oddKernel) public var kernelSize = 5
  /// U-Net: the groups of GroupNorm; 0 for no normalization.
  @Setting(.notNegative) public var groupCount = 8
  /// U-Net: added to the groups' variances.
  public var groupNormEpsilon: Float = 1e-5
  /// U-Net: whether the condition scales features as well as shifting them.
  public var scalesFeatures = true
  /// U-Net: one linear layer instead of three from the condition to each block.
  public var usesSmallConditionEncoder = false

  /// Gaussian: where the deviation comes from.
  public var deviationKind = Deviation.fixed
  /// Gaussian: the deviation, or its start.
  @Setting(.positive) public var deviation: Float = 0.1
  /// Gaussian: the least deviation that is not fixed.
  @Setting(.positive) public var minimumDeviation: Float = 0.01
  /// Gaussian: the greatest deviation that is not fixed.
  public var maximumDeviation: Float = 1
  /// Gaussian: whether the mean passes through tanh.
  public var squashesMean = true

  /// DPPO's network for Gym: a residual perceptron of 512^3 with ReLU.
  public init() {}

  /// A diffusion policy's network.
  ///
  /// - Throws: `ConfigurationError` if the numbers cannot make one.
  public func makeDenoiser(
    actionSize: Int, predictionCount: Int, observationSize: Int, observationCount: Int,
    random: inout some RandomSource
  ) throws -> any ChunkDenoiser {
    try check(predictionCount: predictionCount)
    let conditionSize = observationSize * observationCount
    switch kind {
    case .mlp:
      return DiffusionMLP(
        actionSize: actionSize, predictionCount: predictionCount, conditionSize: conditionSize,
        hiddenSizes: hiddenSizes, activation: activation, isResidual: isResidual,
        usesLayerNorm: usesLayerNorm, timeEmbeddingSize: timeEmbeddingSize,
        observationSizes: observationSizes, random: &random)
    case .unet:
      return Unet1D(
        actionSize: actionSize, conditionSize: conditionSize, options: unetOptions,
        random: &random)
    case .gaussian:
      throw ConfigurationError.badValue(
        key: "kind", found: "gaussian", expected: "mlp or unet for a diffusion policy")
    }
  }

  /// A Gaussian policy's network.
  ///
  /// - Throws: `ConfigurationError` if the numbers cannot make one.
  public func makeGaussian(
    actionSize: Int, predictionCount: Int, observationSize: Int, observationCount: Int,
    random: inout some RandomSource
  ) throws -> GaussianMLP {
    try check(predictionCount: predictionCount)
    guard kind == .gaussian else {
      throw ConfigurationError.badValue(
        key: "kind", found: kind.rawValue, expected: "gaussian for a Gaussian policy")
    }
    let deviation: GaussianMLP.Deviation =
      switch deviationKind {
      case .fixed: .fixed(deviation)
      case .learned: .learned(initial: deviation)
      case .predicted: .predicted
      }
    return GaussianMLP(
      actionSize: actionSize, predictionCount: predictionCount,
      conditionSize: observationSize * observationCount, hiddenSizes: hiddenSizes,
      activation: activation, isResidual: isResidual, usesLayerNorm: usesLayerNorm,
      deviation: deviation, deviationRange: minimumDeviation...maximumDeviation,
      squashesMean: squashesMean, random: &random)
  }

  private var unetOptions: Unet1D.Options {
    var options = Unet1D.Options()
    options.width = width
    options.multipliers = multipliers
    options.kernelSize = kernelSize
    options.groupCount = groupCount
    options.groupNormEpsilon = groupNormEpsilon
    options.activation = activation
    options.scalesFeatures = scalesFeatures
    options.usesSmallConditionEncoder = usesSmallConditionEncoder
    options.timeEmbeddingSize = timeEmbeddingSize
    options.observationSizes = observationSizes
    return options
  }
}
