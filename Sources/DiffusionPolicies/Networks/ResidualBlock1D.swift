import Diffusion
import NeuralNetworks
import Tensors

/// Convolution, GroupNorm and activation: `block.0` and `block.2` in the reference.
final class ConvolutionBlock1D: Module {
  private let convolution: Conv1d
  private let norm: GroupNorm?
  private let activation: Activation

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
  private let blocks: [ConvolutionBlock1D]
  private let residual: Conv1d?
  private let channelCount: Int
  private let scalesFeatures: Bool
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
