import NeuralNetworks
import Tensors

/// The autoencoder whose latents Stable Diffusion works on (Rombach et al., arXiv:2112.10752;
/// Kingma and Welling, arXiv:1312.6114), with the weight names of diffusers.
public final class AutoencoderKL: Module {
  /// What the network is made of.
  public let configuration: AutoencoderConfiguration
  private let encoder: ImageEncoder
  private let decoder: ImageDecoder
  private let quantConvolution: Conv2d?
  private let postQuantConvolution: Conv2d?

  /// The Gaussian that an image becomes.
  public struct LatentDistribution: Sendable {
    /// `[B, h, w, latentChannels]`
    public var mean: Tensor
    /// ln of the variances, `[B, h, w, latentChannels]`, within -30 ... 20.
    public var logVariance: Tensor

    /// mean + standard deviation noise.
    public func sample(noise: Tensor) -> Tensor { mean + (logVariance * 0.5).exp() * noise }
  }

  /// A network with PyTorch's default initialization.
  public init(_ configuration: AutoencoderConfiguration, random: inout some RandomSource) {
    self.configuration = configuration
    encoder = ImageEncoder(configuration, random: &random)
    decoder = ImageDecoder(configuration, random: &random)
    func pointwise(_ channels: Int) -> Conv2d {
      Conv2d(inputChannels: channels, outputChannels: channels, kernelSize: 1, random: &random)
    }
    quantConvolution =
      configuration.hasQuantConvolution ? pointwise(2 * configuration.latentChannels) : nil
    postQuantConvolution =
      configuration.hasPostQuantConvolution ? pointwise(configuration.latentChannels) : nil
  }

  /// The latents of images `[B, H, W, C]` in -1 ... 1, not scaled.
  ///
  /// - Parameters:
  ///   - images: with sides that `reduction` divides.
  ///   - isTiled: cuts images larger than the configuration's sample size into tiles.
  public func encode(_ images: Tensor, isTiled: Bool = false) -> LatentDistribution {
    let tile = configuration.sampleSize
    let moments =
      isTiled && isLarger(images, than: tile)
      ? tiles(latentFromImage: true).map(images, momentsOf) : momentsOf(images)
    let channels = configuration.latentChannels
    return LatentDistribution(
      mean: moments.slice(0..<channels, along: -1),
      logVariance: moments.slice(channels..<(2 * channels), along: -1).clamped(to: -30, 20))
  }

  private func momentsOf(_ images: Tensor) -> Tensor {
    let encoded = encoder(images)
    return quantConvolution.map { $0(encoded) } ?? encoded
  }

  /// The images of latents `[B, h, w, latentChannels]` that are not scaled: about -1 ... 1.
  ///
  /// - Parameters:
  ///   - latents: as `encode` gives them.
  ///   - isTiled: cuts latents larger than those of the configuration's sample size into tiles that
  ///     overlap by a quarter, so that memory does not grow with the image.
  public func decode(_ latents: Tensor, isTiled: Bool = false) -> Tensor {
    let tile = configuration.sampleSize / configuration.reduction
    return isTiled && isLarger(latents, than: tile)
      ? tiles(latentFromImage: false).map(latents, imagesOf) : imagesOf(latents)
  }

  private func imagesOf(_ latents: Tensor) -> Tensor {
    decoder(postQuantConvolution.map { $0(latents) } ?? latents)
  }

  /// Latents as a denoising network sees them: of about unit variance.
  public func scaled(_ latents: Tensor) -> Tensor {
    (latents - configuration.shiftFactor) * configuration.scalingFactor
  }

  /// The inverse of `scaled`.
  public func unscaled(_ latents: Tensor) -> Tensor {
    latents * (1 / configuration.scalingFactor) + configuration.shiftFactor
  }

  private func isLarger(_ x: Tensor, than side: Int) -> Bool {
    x.shape[1] > side || x.shape[2] > side
  }

  private func tiles(latentFromImage: Bool) -> OverlappingTiles {
    let (image, latent) = (
      configuration.sampleSize, configuration.sampleSize / configuration.reduction
    )
    return latentFromImage
      ? OverlappingTiles(inputSide: image, outputSide: latent)
      : OverlappingTiles(inputSide: latent, outputSide: image)
  }

  /// diffusers' names.
  public func collect(into parameters: inout NamedParameters) {
    parameters.add("encoder", encoder)
    parameters.add("decoder", decoder)
    parameters.add("quant_conv", quantConvolution)
    parameters.add("post_quant_conv", postQuantConvolution)
  }
}

/// Square tiles that overlap by a quarter, transformed one by one and blended where they overlap.
struct OverlappingTiles {
  /// The side of a tile before the transform.
  let inputSide: Int
  /// The side of a tile after it.
  let outputSide: Int

  private var stride: Int { max(1, inputSide * 3 / 4) }
  private var blend: Int { outputSide / 4 }

  /// `[B, H, W, C]` through a transform of tiles.
  func map(_ x: Tensor, _ transform: (Tensor) -> Tensor) -> Tensor {
    let kept = outputSide - blend
    var above: [Tensor] = []
    var rows: [Tensor] = []
    for top in Swift.stride(from: 0, to: x.shape[1], by: stride) {
      let band = x.slice(top..<min(top + inputSide, x.shape[1]), along: 1)
      var row: [Tensor] = []
      for left in Swift.stride(from: 0, to: x.shape[2], by: stride) {
        var tile = transform(band.slice(left..<min(left + inputSide, x.shape[2]), along: 2))
        if !above.isEmpty { tile = blended(above[row.count], tile, along: 1) }
        if let neighbour = row.last { tile = blended(neighbour, tile, along: 2) }
        row.append(tile)
      }
      rows.append(
        .concatenated(
          row.map {
            $0.slice(0..<min(kept, $0.shape[1]), along: 1)
              .slice(0..<min(kept, $0.shape[2]), along: 2)
          }, along: 2))
      above = row
    }
    return .concatenated(rows, along: 1)
  }

  /// The tile with its first rows or columns fading in from the last ones of its neighbour.
  private func blended(_ neighbour: Tensor, _ tile: Tensor, along dimension: Int) -> Tensor {
    let extent = min(neighbour.shape[dimension], tile.shape[dimension], blend)
    guard extent > 0 else { return tile }
    let size = neighbour.shape[dimension]
    var shape = [1, 1, 1, 1]
    shape[dimension] = extent
    let weights = Tensor(
      shape: shape, elements: (0..<extent).map { Float($0) / Float(extent) })
    let fading =
      neighbour.slice((size - extent)..<size, along: dimension) * (1 - weights)
      + tile.slice(0..<extent, along: dimension) * weights
    let rest = tile.slice(extent..<tile.shape[dimension], along: dimension)
    return .concatenated([fading, rest], along: dimension)
  }
}
