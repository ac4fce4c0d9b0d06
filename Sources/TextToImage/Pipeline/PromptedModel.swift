import Files
import GenerativeModels
import NeuralNetworks
import Tensors

/// The parts of a text-to-image model.
public typealias TextToImageModel = PromptedModel<UNet2DConditionModel>

/// The parts of a model that makes images, or clips frame by frame, of prompts.
///
/// Without an autoencoder it works on pixels: samples are images in -1 ... 1, with each square of p
/// x p pixels as the 3 p^2 channels of one sample position (`torch.nn.functional.pixel_unshuffle`);
/// p follows from the U-Net's channels.
public final class PromptedModel<Network: PromptedNetwork>: Sendable {
  /// Makes tokens of prompts.
  public let tokenizer: CLIPTokenizer
  /// Makes vectors of tokens.
  public let textEncoder: CLIPTextEncoder
  /// Removes noise.
  public let unet: Network
  /// Makes samples of images, and images of samples; nil in pixel space.
  public let autoencoder: (any ImageAutoencoder)?
  /// Makes images of samples in place of the autoencoder; nil for the autoencoder itself. No part of
  /// the model: it is neither written nor in the fingerprint.
  public let decoder: (any ImageAutoencoder)?
  /// The noise of training.
  public let scheduler: SchedulerConfiguration
  /// p, in pixel space.
  private let pixelBlock: Int

  /// A model that is put together here.
  ///
  /// - Throws: `FileError`, naming the file that the part would be in, if the parts do not fit.
  public convenience init(
    tokenizer: CLIPTokenizer, textEncoder: CLIPTextEncoder, unet: Network,
    autoencoder: (any ImageAutoencoder)?, scheduler: SchedulerConfiguration
  ) throws {
    try self.init(
      tokenizer: tokenizer, textEncoder: textEncoder, unet: unet, autoencoder: autoencoder,
      scheduler: scheduler, folder: ".")
  }

  /// The parts of a model, with another decoder or none.
  convenience init(_ model: PromptedModel, decoder: (any ImageAutoencoder)?) throws {
    try self.init(
      tokenizer: model.tokenizer, textEncoder: model.textEncoder, unet: model.unet,
      autoencoder: model.autoencoder, decoder: decoder, scheduler: model.scheduler, folder: ".")
  }

  package init(
    tokenizer: CLIPTokenizer, textEncoder: CLIPTextEncoder, unet: Network,
    autoencoder: (any ImageAutoencoder)?, decoder: (any ImageAutoencoder)? = nil,
    scheduler: SchedulerConfiguration, folder: String
  ) throws {
    self.tokenizer = tokenizer
    self.textEncoder = textEncoder
    self.unet = unet
    self.autoencoder = autoencoder
    self.decoder = decoder
    self.scheduler = scheduler
    let channels = unet.configuration.inputChannels
    pixelBlock = (1...64).first { 3 * $0 * $0 >= channels } ?? 1
    try Self.check(
      text: textEncoder.configuration, tokenizer: tokenizer, unet: unet.configuration,
      autoencoder: autoencoder, pixelChannels: 3 * pixelBlock * pixelBlock,
      folder: folder)
  }

  private static func check(
    text: CLIPTextConfiguration, tokenizer: CLIPTokenizer, unet: Network.Configuration,
    autoencoder: (any ImageAutoencoder)?, pixelChannels: Int, folder: String
  ) throws {
    func fail(_ file: String, _ key: String, _ problem: String) -> FileError {
      FileError(
        .malformed, path: "\(folder)/\(file)", item: key, problem: problem,
        advice: "do the parts come from the same model?")
    }
    let token = tokenizer.maxToken
    if token >= text.vocabularySize {
      throw fail(
        "text_encoder/config.json", "vocab_size",
        "is \(text.vocabularySize), but the tokenizer has a token \(token)")
    }
    guard tokenizer.maximumLength <= text.maximumLength else {
      throw fail(
        "tokenizer/tokenizer_config.json", "model_max_length",
        "is \(tokenizer.maximumLength), but the text encoder takes \(text.maximumLength) tokens")
    }
    guard unet.promptSizes.allSatisfy({ $0 == text.hiddenSize }) else {
      throw fail(
        "unet/config.json", unet.promptSizeKey,
        "is \(unet.promptSizes), but the text encoder gives \(text.hiddenSize)")
    }
    guard !unet.wantsClasses else {
      throw fail(
        "unet/config.json", "class_embed_type", "requests classes, which prompts do not give")
    }
    guard unet.inputChannels == unet.outputChannels else {
      throw fail(
        "unet/config.json", "out_channels",
        "is \(unet.outputChannels), but in_channels \(unet.inputChannels)")
    }
    guard unet.inputChannels == autoencoder?.latentChannels ?? pixelChannels else {
      throw fail(
        "unet/config.json", "in_channels",
        autoencoder.map { "is \(unet.inputChannels), but the autoencoder has \($0.latentChannels)" }
          ?? "is \(unet.inputChannels), not 3 p^2, as it must be without an autoencoder")
    }
    guard autoencoder?.imageChannels ?? 3 == 3 else {
      throw fail("vae/config.json", "in_channels", "is not 3, the channels of an image")
    }
  }

  /// How many pixels a position of a sample stands for in each direction.
  public var reduction: Int { autoencoder?.reduction ?? pixelBlock }

  /// All weights, named by part: `text_encoder.*`, `unet.*` and `vae.*`.
  public var parameters: NamedParameters { Parts(model: self).parameters }

  private final class Parts: Module {
    let model: PromptedModel
    init(model: PromptedModel) { self.model = model }

    func collect(into parameters: inout NamedParameters) {
      parameters.add("text_encoder", model.textEncoder)
      parameters.add("unet", model.unet)
      parameters.add("vae", model.autoencoder)
    }
  }

  /// Images `[B, H, W, 3]`, or clips `[B, F, H, W, 3]`, in 0 ... 1 as samples that the U-Net is
  /// trained on.
  ///
  /// - Parameters:
  ///   - images: with sides that `reduction` divides.
  ///   - noise: for the autoencoder's latents `[B, ..., h, w, C]`; their mean if nil.
  public func samples(ofImages images: Tensor, noise: Tensor? = nil) -> Tensor {
    samples(ofSignedImages: images * 2 - 1, noise: noise)
  }

  /// The same for images in -1 ... 1.
  func samples(ofSignedImages images: Tensor, noise: Tensor? = nil) -> Tensor {
    let size = images.shape.suffix(3)
    precondition(
      images.rank >= 4 && size.last == 3 && size.dropLast().allSatisfy { $0 % reduction == 0 },
      """
      images of shape \(images.shape) are not [B, ..., H, W, 3] with sides of multiples of \
      \(reduction)
      """)
    let frames = images.reshaped(to: [-1] + size)
    let samples: Tensor
    if let autoencoder {
      samples = autoencoder.samples(
        ofImages: frames, noise: noise.map { $0.reshaped(to: [-1] + $0.shape.suffix(3)) })
    } else {
      samples = frames.pixelsGathered(by: pixelBlock)
    }
    return samples.reshaped(to: images.shape.dropLast(3) + samples.shape.suffix(3))
  }

  /// Samples `[B, h, w, C]` as images `[B, H, W, 3]` in 0 ... 1, those of clips `[B, F, h, w, C]`
  /// frame by frame as `[B, F, H, W, 3]`.
  ///
  /// - Parameters:
  ///   - samples: of a sampler.
  ///   - isTiled: whether large images are decoded in tiles, which takes less memory.
  /// - Throws: `NonFiniteOutput` if the samples or what the decoder makes of them are not finite:
  ///   clamped, they would be black.
  public func images(
    ofSamples samples: Tensor, isTiled: Bool = false
  ) throws(NonFiniteOutput) -> Tensor {
    try requireFinite(samples, of: .finalSample)
    let frames = samples.reshaped(to: [-1] + samples.shape.suffix(3))
    let signed: Tensor
    if let decoder = decoder ?? autoencoder {
      // One by one: a decoder's memory is many times that of its image.
      signed = .concatenated(
        (0..<frames.shape[0]).map {
          decoder.images(ofSamples: frames.slice($0..<($0 + 1)), isTiled: isTiled)
        }, along: 0)
    } else {
      signed = frames.pixelsSpread(by: pixelBlock)
    }
    try requireFinite(signed, of: .decoder)
    return (signed * 0.5 + 0.5).clamped(to: 0, 1)
      .reshaped(to: samples.shape.dropLast(3) + signed.shape.suffix(3))
  }
}

extension Tensor {
  /// `[B, H, W, C]` to `[B, H / p, W / p, C p^2]`, as `torch.nn.functional.pixel_unshuffle`.
  func pixelsGathered(by p: Int) -> Tensor {
    if p == 1 { return self }
    let (b, h, w, c) = (shape[0], shape[1] / p, shape[2] / p, shape[3])
    return reshaped(to: [b, h, p, w, p, c]).transposed([0, 1, 3, 5, 2, 4])
      .reshaped(to: [b, h, w, c * p * p])
  }

  /// The inverse of `pixelsGathered`.
  func pixelsSpread(by p: Int) -> Tensor {
    if p == 1 { return self }
    let (b, h, w, c) = (shape[0], shape[1], shape[2], shape[3] / (p * p))
    return reshaped(to: [b, h, w, c, p, p]).transposed([0, 1, 4, 2, 5, 3])
      .reshaped(to: [b, h * p, w * p, c])
  }
}
