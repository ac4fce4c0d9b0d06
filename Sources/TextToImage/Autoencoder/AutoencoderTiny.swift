import Files
import NeuralNetworks
import Tensors

/// The tiny autoencoder that was distilled from Stable Diffusion's (TAESD): an eighteenth of the work
/// for images that differ in fine detail. With the weight names of diffusers.
///
/// No norms and no attention; an image becomes one latent, not a distribution.
public final class AutoencoderTiny: Module {
  /// What the network is made of.
  public let configuration: AutoencoderTinyConfiguration
  private let encoder: TinyLayers
  private let decoder: TinyLayers

  /// A network with PyTorch's default initialization.
  public init(_ configuration: AutoencoderTinyConfiguration, random: inout some RandomSource) {
    self.configuration = configuration
    encoder = TinyLayers(encoderOf: configuration, random: &random)
    decoder = TinyLayers(decoderOf: configuration, random: &random)
  }

  /// The latents `[B, h, w, latentChannels]` of images `[B, H, W, C]` in -1 ... 1, not scaled.
  public func encode(_ images: Tensor) -> Tensor { encoder((images + 1) * 0.5) }

  /// The images, about -1 ... 1, of latents that are not scaled. Large latents are bent to +- 3.
  public func decode(_ latents: Tensor) -> Tensor {
    decoder((latents * (1 / 3)).tanh() * 3) * 2 - 1
  }

  /// diffusers' names.
  public func collect(into parameters: inout NamedParameters) {
    parameters.add("encoder", encoder)
    parameters.add("decoder", decoder)
  }
}

extension AutoencoderTiny: ImageAutoencoder {
  /// TAESD's.
  public static let className = "AutoencoderTiny"

  /// Of the configuration.
  public var imageChannels: Int { configuration.imageChannels }
  /// Of the configuration.
  public var latentChannels: Int { configuration.latentChannels }
  /// Of the configuration.
  public var reduction: Int { configuration.reduction }
  /// No: it takes little memory as it is.
  public var canTile: Bool { false }
  /// Of the configuration.
  public var json: JSONValue { configuration.json }

  /// Latents, scaled; no noise goes into them.
  public func samples(ofImages images: Tensor, noise: Tensor?) -> Tensor {
    (encode(images) - configuration.shiftFactor) * configuration.scalingFactor
  }

  /// The images of scaled latents, never in tiles.
  public func images(ofSamples samples: Tensor, isTiled: Bool) -> Tensor {
    decode(samples * (1 / configuration.scalingFactor) + configuration.shiftFactor)
  }
}

/// One after another; `torch.nn.Sequential` of one half of the autoencoder.
private final class TinyLayers: Module {
  private enum Layer {
    case convolution(Conv2d)
    case block(TinyBlock)
    case activation(Activation)
    case doubling
  }

  private let layers: [Layer]

  /// Halves an image before all blocks but the first.
  init(encoderOf configuration: AutoencoderTinyConfiguration, random: inout some RandomSource) {
    let width = configuration.encoderChannels
    var layers: [Layer] = []
    for (index, count) in configuration.encoderBlocks.enumerated() {
      layers.append(
        .convolution(
          index == 0
            ? Self.convolution(configuration.imageChannels, width, random: &random)
            : Self.convolution(width, width, stride: 2, hasBias: false, random: &random)))
      layers += Self.blocks(count, configuration, width: width, random: &random)
    }
    layers.append(
      .convolution(Self.convolution(width, configuration.latentChannels, random: &random)))
    self.layers = layers
  }

  /// Doubles a latent after all blocks but the last.
  init(decoderOf configuration: AutoencoderTinyConfiguration, random: inout some RandomSource) {
    let width = configuration.decoderChannels
    var layers: [Layer] = [
      .convolution(Self.convolution(configuration.latentChannels, width, random: &random)),
      .activation(configuration.activation),
    ]
    for (index, count) in configuration.decoderBlocks.enumerated() {
      layers += Self.blocks(count, configuration, width: width, random: &random)
      let isLast = index == configuration.decoderBlocks.count - 1
      if !isLast { layers.append(.doubling) }
      layers.append(
        .convolution(
          Self.convolution(
            width, isLast ? configuration.imageChannels : width, hasBias: isLast, random: &random)))
    }
    self.layers = layers
  }

  private static func convolution(
    _ input: Int, _ output: Int, stride: Int = 1, hasBias: Bool = true,
    random: inout some RandomSource
  ) -> Conv2d {
    Conv2d(
      inputChannels: input, outputChannels: output, kernelSize: 3, stride: stride, padding: 1,
      hasBias: hasBias, random: &random)
  }

  private static func blocks(
    _ count: Int, _ configuration: AutoencoderTinyConfiguration, width: Int,
    random: inout some RandomSource
  ) -> [Layer] {
    var blocks: [Layer] = []
    for _ in 0..<count {
      blocks.append(
        .block(TinyBlock(width: width, activation: configuration.activation, random: &random)))
    }
    return blocks
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    layers.reduce(x) { x, layer in
      switch layer {
      case .convolution(let convolution): convolution(x)
      case .block(let block): block(x)
      case .activation(let activation): x.applying(activation)
      case .doubling: x.upsampledNearest(by: 2)
      }
    }
  }

  func collect(into parameters: inout NamedParameters) {
    for (index, layer) in layers.enumerated() {
      switch layer {
      case .convolution(let convolution): parameters.add("layers.\(index)", convolution)
      case .block(let block): parameters.add("layers.\(index)", block)
      case .activation, .doubling: break
      }
    }
  }
}

/// Three convolutions beside a shortcut; `AutoencoderTinyBlock` in diffusers.
private final class TinyBlock: Module {
  private let convolutions: [Conv2d]
  private let activation: Activation

  init(width: Int, activation: Activation, random: inout some RandomSource) {
    var convolutions: [Conv2d] = []
    for _ in 0..<3 {
      convolutions.append(
        Conv2d(
          inputChannels: width, outputChannels: width, kernelSize: 3, padding: 1, random: &random))
    }
    self.convolutions = convolutions
    self.activation = activation
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let inner = convolutions[0](x).applying(activation)
    return (convolutions[2](convolutions[1](inner).applying(activation)) + x).applying(.relu)
  }

  /// `conv.0`, `conv.2` and `conv.4`: activations count too.
  func collect(into parameters: inout NamedParameters) {
    for (index, convolution) in convolutions.enumerated() {
      parameters.add("conv.\(2 * index)", convolution)
    }
  }
}
