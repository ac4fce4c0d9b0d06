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
    /// `GaussianMixtureMLP`, which is none either.
    case gmm
  }

  /// Where the standard deviation of a policy that is no denoiser comes from.
  public enum StandardDeviation: String, Sendable, Codable, CaseIterable {
    /// It stays at `std`.
    case fixed
    /// A parameter for each action dimension, and mode, that starts at `std`.
    case learned
    /// A second head of the network, or a network of its own.
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

  /// GMM: G, the Gaussians in the mixture (`num_modes`).
  @Setting(1...1000) public var modes = 5

  /// Gaussian, GMM: where the standard deviation comes from.
  public var stdKind = StandardDeviation.fixed
  /// Gaussian, GMM: the standard deviation, or its start.
  @Setting(.positive) public var std: Float = 0.1
  /// Gaussian, GMM: the minimum standard deviation that is not fixed.
  @Setting(.positive) public var minStd: Float = 0.01
  /// Gaussian, GMM: the maximum standard deviation that is not fixed.
  public var maxStd: Float = 1
  /// Gaussian, GMM: whether means pass through tanh.
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
    default:
      throw ConfigurationError.badValue(
        key: "kind", found: kind.rawValue, expected: "mlp or unet for a diffusion policy")
    }
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

extension NetworkConfiguration {
  /// No network is wider: a layer between two such would take 17 GB.
  private static let sizeLimit = 65_536
  private static let sizes = 1...sizeLimit

  /// Checks what layers must be to one another and to a chunk.
  ///
  /// - Throws: `ConfigurationError` naming the setting.
  func check(horizonSteps: Int) throws {
    try validate()
    func require(_ holds: Bool, _ field: String, _ found: Any, _ expected: String) throws {
      try ConfigurationError.require(holds, field, found, expected)
    }
    switch kind {
    case .mlp:
      try Self.validateMLP(
        hiddenSizes, blockSizes: isResidual ? hiddenSizes : nil, field: "hiddenSizes")
    case .unet:
      try require(
        multipliers.first == 1 && multipliers.count <= 16
          && multipliers.allSatisfy { (1...64).contains($0) }, "multipliers", multipliers,
        "up to 16 numbers from 1 to 64, the first 1")
      let stride = 1 << (multipliers.count - 1)
      try require(
        horizonSteps % stride == 0, "multipliers", multipliers,
        "fewer levels: \(multipliers.count) need chunks of a multiple of \(stride) actions, "
          + "not \(horizonSteps)")
      try require(
        groupCount == 0 || width % groupCount == 0, "groupCount", groupCount,
        "a divisor of width \(width), or 0 for no normalization")
      if !observationSizes.isEmpty {
        try Self.validateMLP(
          observationSizes, blockSizes: Array(observationSizes.dropLast()),
          field: "observationSizes")
      }
    default: try kind.densityNetwork?.check(self)
    }
    if kind != .unet {
      try require(
        observationSizes.allSatisfy { Self.sizes.contains($0) }, "observationSizes",
        observationSizes, "sizes from 1 to \(Self.sizeLimit), or none")
    }
  }

  /// Checks an MLP's layers; `blockSizes` are those that must form residual blocks.
  static func validateMLP(_ sizes: [Int], blockSizes: [Int]?, field: String) throws {
    guard !sizes.isEmpty, sizes.allSatisfy({ Self.sizes.contains($0) }) else {
      throw ConfigurationError.badValue(
        key: field, found: sizes, expected: "one or more sizes from 1 to \(sizeLimit)")
    }
    guard let blockSizes else { return }
    guard blockSizes.count % 2 == 1, Set(blockSizes).count == 1 else {
      throw ConfigurationError.badValue(
        key: field, found: sizes,
        expected: "an odd number of equal sizes for residual blocks, or set isResidual to false")
    }
  }
}

extension SettingRange<Int> {
  /// Centered on an action.
  static var oddKernel: SettingRange {
    .init("an odd number up to 255") { (1...255).contains($0) && $0 % 2 == 1 }
  }

  /// Half of it are sines, half cosines.
  static var evenWidth: SettingRange {
    .init("an even number from 4 to 65536") { (4...65_536).contains($0) && $0 % 2 == 0 }
  }
}

/// A plain or a residual MLP, as configurations choose.
enum ConfiguredMLP: Sendable {
  case plain(MLP)
  case residual(ResidualMLP)

  init(
    sizes: [Int], activation: Activation, outputActivation: Activation = .identity,
    isResidual: Bool, usesLayerNorm: Bool = false, usesFinalLayerNorm: Bool = false,
    random: inout some RandomSource
  ) {
    self =
      isResidual
      ? .residual(
        ResidualMLP(
          sizes: sizes, activation: activation, outputActivation: outputActivation,
          usesLayerNorm: usesLayerNorm, usesFinalLayerNorm: usesFinalLayerNorm, random: &random))
      : .plain(
        MLP(
          sizes: sizes, activation: activation, outputActivation: outputActivation,
          usesLayerNorm: usesLayerNorm, usesFinalLayerNorm: usesFinalLayerNorm, random: &random))
  }

  var module: any Module {
    switch self {
    case .plain(let network): network
    case .residual(let network): network
    }
  }

  var firstLinear: Linear {
    switch self {
    case .plain(let network): network.firstLinear
    case .residual(let network): network.firstLinear
    }
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    switch self {
    case .plain(let network): network(x)
    case .residual(let network): network(x)
    }
  }

  func continuing(fromFirstSum sum: Tensor) -> Tensor {
    switch self {
    case .plain(let network): network.continuing(fromFirstSum: sum)
    case .residual(let network): network.continuing(fromFirstSum: sum)
    }
  }
}
