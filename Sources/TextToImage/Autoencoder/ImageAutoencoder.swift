import Files
import NeuralNetworks
import Tensors

/// What makes samples that a U-Net works on of images, and images of samples: the `vae/` of a model
/// folder, or a decoder beside it.
public protocol ImageAutoencoder: Module {
  /// The class of diffusers that its configuration names.
  static var className: String { get }

  /// Channels of images.
  var imageChannels: Int { get }
  /// Channels of samples.
  var latentChannels: Int { get }
  /// How many pixels of an image a place of a sample stands for in each direction.
  var reduction: Int { get }
  /// Whether large images can be decoded in tiles.
  var canTile: Bool { get }
  /// What `config.json` says, for diffusers to read.
  var json: JSONValue { get }

  /// Samples `[B, h, w, latentChannels]` of images `[B, H, W, imageChannels]` in -1 ... 1.
  ///
  /// - Parameters:
  ///   - images: with sides that `reduction` divides.
  ///   - noise: of the samples' shape, where images become distributions; their mean if nil.
  func samples(ofImages images: Tensor, noise: Tensor?) -> Tensor

  /// Images, about -1 ... 1, of samples.
  func images(ofSamples samples: Tensor, isTiled: Bool) -> Tensor
}

extension AutoencoderKL: ImageAutoencoder {
  /// Stable Diffusion's.
  public static let className = "AutoencoderKL"

  /// Of the configuration.
  public var imageChannels: Int { configuration.imageChannels }
  /// Of the configuration.
  public var latentChannels: Int { configuration.latentChannels }
  /// Of the configuration.
  public var reduction: Int { configuration.reduction }
  /// Yes.
  public var canTile: Bool { true }
  /// Of the configuration.
  public var json: JSONValue { configuration.json }

  /// Latents drawn from the distribution that an image becomes, scaled.
  public func samples(ofImages images: Tensor, noise: Tensor?) -> Tensor {
    let distribution = encode(images)
    return scaled(noise.map(distribution.sample) ?? distribution.mean)
  }

  /// The images of scaled latents.
  public func images(ofSamples samples: Tensor, isTiled: Bool) -> Tensor {
    decode(unscaled(samples), isTiled: isTiled)
  }
}

/// The folder of an autoencoder, in the layout of diffusers: `config.json` and weights.
enum AutoencoderFolder {
  /// The classes that are read.
  static let classNames = [AutoencoderKL.className, AutoencoderTiny.className]

  /// A network without weights, as `config.json` describes it.
  ///
  /// - Parameter className: that of `model_index.json`; the file's own if nil.
  /// - Throws: `FileError` naming the key if one asks for something that Attune does not have.
  static func network(_ folder: String, className: String? = nil) throws -> any ImageAutoencoder {
    let path = "\(folder)/config.json"
    let json = try JSONValue(path: path)
    var reader = try ConfigurationReader(json, path: path)
    let ownName = try reader.string("_class_name")
    var unset = UnsetWeights()
    switch className ?? ownName ?? AutoencoderKL.className {
    case AutoencoderKL.className:
      return AutoencoderKL(try AutoencoderConfiguration(json: json, path: path), random: &unset)
    case AutoencoderTiny.className:
      return AutoencoderTiny(
        try AutoencoderTinyConfiguration(json: json, path: path), random: &unset)
    case let name:
      throw reader.error(
        "_class_name", "is '\(name)'", advice: "Attune reads \(classNames.joined(separator: ", "))")
    }
  }

  static func weights(_ folder: String) -> ComponentWeights {
    ComponentWeights(
      folder: folder, name: "diffusion_pytorch_model",
      modernName: ComponentWeights.modernAttentionName)
  }
}

extension PromptedModel {
  /// The same model with another decoder for its samples, such as a tiny one (TAESD): what it draws
  /// is decoded faster, or better. What it is trained on, and its fingerprint, stay.
  ///
  /// - Parameter folder: of an autoencoder, in the layout of diffusers; its weights are frozen.
  /// - Throws: `FileError` if there is none, or it is for other samples.
  public func decoding(by folder: String) throws -> PromptedModel {
    try RequiredFolder.check(
      folder, what: "the folder of a decoder", marker: "config.json",
      advice: "name a folder with a config.json and weights, such as vae/ of a model")
    let decoder = try AutoencoderFolder.network(folder)
    let path = "\(folder)/config.json"
    guard let autoencoder else {
      throw FileError(
        .unsupported, path: path,
        problem: "is of a decoder of latents, but the model works on pixels",
        advice: "leave the decoder out")
    }
    let pairs = [
      ("latent_channels", decoder.latentChannels, autoencoder.latentChannels),
      ("block_out_channels", decoder.reduction, autoencoder.reduction),
      ("out_channels", decoder.imageChannels, autoencoder.imageChannels),
    ]
    for (key, found, wanted) in pairs where found != wanted {
      let what = key == "block_out_channels" ? "makes a reduction of" : "is"
      throw FileError(
        .unsupported, path: path, item: key,
        problem: "\(what) \(found), but the model's own autoencoder has \(wanted)",
        advice: "take a decoder that was trained for this kind of model")
    }
    try AutoencoderFolder.weights(folder).load(into: decoder)
    for (_, parameter) in decoder.parameters { parameter.isTrainable = false }
    return try PromptedModel(self, decoder: decoder)
  }

  /// The same model with its own decoder.
  ///
  /// - Throws: nothing that the model itself did not.
  public func decodingByItself() throws -> PromptedModel {
    decoder == nil ? self : try PromptedModel(self, decoder: nil)
  }
}
