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

  /// Where a Gaussian policy's standard deviation comes from.
  public enum StandardDeviation: String, Sendable, Codable, CaseIterable {
    /// It stays at `std`.
    case fixed
    /// A parameter for each action dimension that starts at `std`.
    case learned
    /// A second head of the network.
    case predicted
  }

  /// The kind of network.
  public var kind = Kind.mlp
  /// Hidden layers of an MLP; of one width and of odd number if residual.
  public var hiddenSizes = [512, 512, 512]
  /// Between layers.
  public var activation = Activation.relu
  /// Whether an MLP's hidden layers are residual blocks.
  public var isResidual = true
  /// Whether an MLP's hidden layers are normalized.
  public var usesLayerNorm = false
  /// The width of the time embedding of a diffusion policy.
  @Setting(.evenWidth) public var timeEmbeddingSize = 16
  /// A diffusion policy's MLP on the observations; empty for none.
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

  /// Gaussian: where the standard deviation comes from.
  public var stdKind = StandardDeviation.fixed
  /// Gaussian: the standard deviation, or its start.
  @Setting(.positive) public var std: Float = 0.1
  /// Gaussian: the minimum standard deviation that is not fixed.
  @Setting(.positive) public var minStd: Float = 0.01
  /// Gaussian: the maximum standard deviation that is not fixed.
  public var maxStd: Float = 1
  /// Gaussian: whether the mean passes through tanh.
  public var squashesMean = true

  /// DPPO's network for Gym: a residual MLP of 512^3 with ReLU.
  public init() {}

  /// A diffusion policy's network, which sees an encoding `[B, Dc]`.
  ///
  /// - Throws: `ConfigurationError` if the numbers cannot make one.
  public func makeDenoiser(
    actionSize: Int, horizonSteps: Int, conditionSize: Int, random: inout some RandomSource
  ) throws -> any ChunkDenoiser {
    try check(horizonSteps: horizonSteps)
    switch kind {
    case .mlp:
      return DiffusionMLP(
        actionSize: actionSize, horizonSteps: horizonSteps, conditionSize: conditionSize,
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

  /// A Gaussian policy's network, which sees an encoding `[B, Dc]`.
  ///
  /// - Throws: `ConfigurationError` if the numbers cannot make one.
  public func makeGaussian(
    actionSize: Int, horizonSteps: Int, conditionSize: Int, random: inout some RandomSource
  ) throws -> GaussianMLP {
    try check(horizonSteps: horizonSteps)
    guard kind == .gaussian else {
      throw ConfigurationError.badValue(
        key: "kind", found: kind.rawValue, expected: "gaussian for a Gaussian policy")
    }
    let std: GaussianMLP.StandardDeviation =
      switch stdKind {
      case .fixed: .fixed(std)
      case .learned: .learned(initial: std)
      case .predicted: .predicted
      }
    return GaussianMLP(
      actionSize: actionSize, horizonSteps: horizonSteps,
      conditionSize: conditionSize, hiddenSizes: hiddenSizes,
      activation: activation, isResidual: isResidual, usesLayerNorm: usesLayerNorm,
      std: std, stdRange: minStd...maxStd,
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
