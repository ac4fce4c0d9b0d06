import Diffusion
import NeuralNetworks
import Tensors

/// Diffusion Policy's one-dimensional U-Net over the actions of a chunk (arXiv:2303.04137), with
/// the structure and weight names of the DPPO reference.
public final class Unet1D: ChunkDenoiser {
  /// What a U-Net is made of.
  public struct Options: Sendable {
    /// The channels of the first level.
    public var width = 64
    /// Each level's channels over `width`; the first is 1. `Tp` is a multiple of 2^(levels - 1).
    public var multipliers = [1, 2, 4]
    /// The length of the convolutions, odd.
    public var kernelSize = 5
    /// The groups of GroupNorm; 0 for no normalization.
    public var groupCount = 8
    /// Added to the groups' variances.
    public var groupNormEpsilon: Float = 1e-5
    /// Between layers.
    public var activation = Activation.mish
    /// Whether time and observations scale features as well as shifting them.
    public var scalesFeatures = true
    /// One linear layer instead of three from time and observations to each block's modulation.
    public var usesSmallConditionEncoder = false
    /// The width of the time embedding.
    public var timeEmbeddingSize = 16
    /// The layers of a residual MLP on the observations; empty for none. With one, blocks
    /// have small condition encoders.
    public var observationSizes: [Int] = []

    /// The reference's usual choices.
    public init() {}
  }

  final class Level: Module {
    let blocks: [ResidualBlock1D]
    let downsampling: Conv1d?
    let upsampling: ConvTranspose1d?

    init(
      blocks: [ResidualBlock1D], downsampling: Conv1d? = nil, upsampling: ConvTranspose1d? = nil
    ) {
      self.blocks = blocks
      self.downsampling = downsampling
      self.upsampling = upsampling
    }

    func collect(into parameters: inout NamedParameters) {
      parameters.add("0", blocks[0])
      parameters.add("1", blocks[1])
      parameters.add("2.conv", downsampling)
      parameters.add("2.conv", upsampling)
    }
  }

  let timeEmbedding: TimeEmbedding
  let observationEncoder: ResidualMLP?
  let middle: [ResidualBlock1D]
  let down: [Level]
  let up: [Level]
  let finalBlock: ConvolutionBlock1D
  let output: Conv1d

  /// - Parameters:
  ///   - actionSize: `Da`
  ///   - conditionSize: `Dc`
  ///   - options: widths and kinds of layers.
  ///   - random: draws the first weights.
  public init(
    actionSize: Int, conditionSize: Int, options: Options = Options(),
    random: inout some RandomSource
  ) {
    precondition(
      options.multipliers.first == 1, "a U-Net's first level has \(options.width) channels")
    let timeSize = options.timeEmbeddingSize
    timeEmbedding = TimeEmbedding(size: timeSize, hiddenSize: 4 * timeSize, random: &random)
    observationEncoder =
      options.observationSizes.isEmpty
      ? nil
      : ResidualMLP(
        sizes: [conditionSize] + options.observationSizes, activation: options.activation,
        random: &random)
    let channels = [actionSize] + options.multipliers.map { $0 * options.width }
    let levelCount = options.multipliers.count
    let blockConditionSize = timeSize + (options.observationSizes.last ?? conditionSize)
    func block(_ inputs: Int, _ outputs: Int, _ random: inout some RandomSource) -> ResidualBlock1D
    {
      ResidualBlock1D(
        inputChannels: inputs, outputChannels: outputs, conditionSize: blockConditionSize,
        options: options, random: &random)
    }
    let deepest = channels[levelCount]
    middle = [block(deepest, deepest, &random), block(deepest, deepest, &random)]
    var (down, up): ([Level], [Level]) = ([], [])
    for level in 0..<levelCount {
      let (inputs, outputs) = (channels[level], channels[level + 1])
      let blocks = [block(inputs, outputs, &random), block(outputs, outputs, &random)]
      let downsampling =
        level == levelCount - 1
        ? nil
        : Conv1d(
          inputChannels: outputs, outputChannels: outputs, kernelSize: 3, stride: 2, padding: 1,
          random: &random)
      down.append(Level(blocks: blocks, downsampling: downsampling))
    }
    for level in (1..<levelCount).reversed() {
      let (outputs, inputs) = (channels[level], channels[level + 1])
      let blocks = [block(2 * inputs, outputs, &random), block(outputs, outputs, &random)]
      let upsampling = ConvTranspose1d(
        inputChannels: outputs, outputChannels: outputs, kernelSize: 4, stride: 2, padding: 1,
        random: &random)
      up.append(Level(blocks: blocks, upsampling: upsampling))
    }
    self.down = down
    self.up = up
    finalBlock = ConvolutionBlock1D(
      inputChannels: options.width, outputChannels: options.width, options: options,
      random: &random)
    output = Conv1d(
      inputChannels: options.width, outputChannels: actionSize, kernelSize: 1, random: &random)
  }

  /// `[B, Tp, Da]` to the same shape.
  public func callAsFunction(
    _ chunks: Tensor, timeSteps: Broadcast<Float>, condition: Tensor
  ) -> Tensor {
    let times = timeEmbedding.rows(of: timeSteps)
      .broadcast(to: [chunks.shape[0], timeEmbedding.size])
    let condition = Tensor.concatenated([times, encoded(condition)], along: 1)
    return denoised(chunks, modulations: blocks.map { $0.conditionEncoder(condition) })
  }

  /// The observations' part of every block's condition is computed once, and all embeddings.
  public func bound(to condition: Tensor, times: [Float]) -> Denoiser {
    let condition = encoded(condition)
    let encoders = blocks.map {
      $0.conditionEncoder.bound(to: condition, timeSize: timeEmbedding.size)
    }
    let embeddings = timeEmbedding.bound(to: times)
    return { [self] chunks, timeSteps in
      let time = embeddings(timeSteps)
      return denoised(chunks, modulations: encoders.map { $0(time) })
    }
  }

  /// All blocks in the order of their use.
  private var blocks: [ResidualBlock1D] {
    down.flatMap(\.blocks) + middle + up.flatMap(\.blocks)
  }

  private func denoised(_ chunks: Tensor, modulations: [Tensor]) -> Tensor {
    precondition(
      chunks.shape[1] % (1 << up.count) == 0,
      "a U-Net of \(down.count) levels cannot halve chunks \(chunks.shape) evenly")
    var remaining = modulations[...]
    func run(_ blocks: [ResidualBlock1D], _ x: Tensor) -> Tensor {
      blocks.reduce(x) { $1($0, modulation: remaining.removeFirst()) }
    }
    var x = chunks  // [B, L, C] at every level
    var skipped: [Tensor] = []
    for level in down {
      x = run(level.blocks, x)
      skipped.append(x)
      if let downsampling = level.downsampling { x = downsampling(x) }
    }
    x = run(middle, x)
    for level in up {
      x = run(level.blocks, .concatenated([x, skipped.removeLast()], along: 2))
      if let upsampling = level.upsampling { x = upsampling(x) }
    }
    return output(finalBlock(x))
  }

  private func encoded(_ condition: Tensor) -> Tensor {
    observationEncoder.map { $0(condition) } ?? condition
  }

  /// `time_mlp.*`, `cond_mlp.*`, `mid_modules.*`, `down_modules.*`, `up_modules.*`, `final_conv.*`
  public func collect(into parameters: inout NamedParameters) {
    parameters.add("time_mlp", timeEmbedding)
    parameters.add("cond_mlp", observationEncoder)
    parameters.add("mid_modules", middle)
    parameters.add("down_modules", down)
    parameters.add("up_modules", up)
    parameters.add("final_conv.0", finalBlock)
    parameters.add("final_conv.1", output)
  }
}

/// Convolution, GroupNorm and activation: `block.0` and `block.2` in the reference.
final class ConvolutionBlock1D: Module {
  let convolution: Conv1d
  let norm: GroupNorm?
  let activation: Activation

  init(
    inputChannels: Int, outputChannels: Int, options: Unet1D.Options,
    random: inout some RandomSource
  ) {
    convolution = Conv1d(
      inputChannels: inputChannels, outputChannels: outputChannels,
      kernelSize: options.kernelSize, padding: options.kernelSize / 2, random: &random)
    norm =
      options.groupCount > 0
      ? GroupNorm(
        groupCount: options.groupCount, channelCount: outputChannels,
        epsilon: options.groupNormEpsilon)
      : nil
    activation = options.activation
  }

  /// `[B, L, inputChannels]` to `[B, L, outputChannels]`.
  func callAsFunction(_ x: Tensor) -> Tensor {
    let sum = convolution(x)
    return (norm.map { $0(sum) } ?? sum).applying(activation)
  }

  func collect(into parameters: inout NamedParameters) {
    parameters.add("block.0", convolution)
    parameters.add("block.2", norm)
  }
}

/// Two convolution blocks with a residual connection; time and observations shift, and if asked
/// also scale, the features between them (FiLM, arXiv:1709.07871).
final class ResidualBlock1D: Module {
  let blocks: [ConvolutionBlock1D]
  let residual: Conv1d?
  let channelCount: Int
  let scalesFeatures: Bool
  let conditionEncoder: ConditionEncoder

  init(
    inputChannels: Int, outputChannels: Int, conditionSize: Int, options: Unet1D.Options,
    random: inout some RandomSource
  ) {
    blocks = [
      ConvolutionBlock1D(
        inputChannels: inputChannels, outputChannels: outputChannels, options: options,
        random: &random),
      ConvolutionBlock1D(
        inputChannels: outputChannels, outputChannels: outputChannels, options: options,
        random: &random),
    ]
    channelCount = outputChannels
    scalesFeatures = options.scalesFeatures
    conditionEncoder = ConditionEncoder(
      inputSize: conditionSize, outputSize: outputChannels * (options.scalesFeatures ? 2 : 1),
      isDeep: options.observationSizes.isEmpty && !options.usesSmallConditionEncoder,
      activation: options.activation, random: &random)
    residual =
      inputChannels == outputChannels
      ? nil
      : Conv1d(
        inputChannels: inputChannels, outputChannels: outputChannels, kernelSize: 1,
        random: &random)
  }

  /// `[B, L, inputChannels]` to `[B, L, outputChannels]`.
  ///
  /// - Parameters:
  ///   - x: `[B, L, inputChannels]`
  ///   - modulation: what the condition encoder gives, `[B, outputChannels]`, or twice as wide.
  func callAsFunction(_ x: Tensor, modulation: Tensor) -> Tensor {
    var features = blocks[0](x)
    if scalesFeatures {
      let scale = modulation.slice(0..<channelCount, along: 1).expandingDimension(at: 1)
      let shift = modulation.slice(channelCount..<(2 * channelCount), along: 1)
      features = scale * features + shift.expandingDimension(at: 1)
    } else {
      features = features + modulation.expandingDimension(at: 1)
    }
    return blocks[1](features) + (residual.map { $0(x) } ?? x)
  }

  func collect(into parameters: inout NamedParameters) {
    parameters.add("blocks", blocks)
    parameters.add("cond_encoder", conditionEncoder)
    parameters.add("residual_conv", residual)
  }
}
