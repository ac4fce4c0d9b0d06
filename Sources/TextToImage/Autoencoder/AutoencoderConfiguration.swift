import Files
import NeuralNetworks
import Tensors

/// What `AutoencoderKL` is made of, as in its `config.json`; the defaults are Stable Diffusion's.
public struct AutoencoderConfiguration: Sendable, Equatable {
  /// Channels of images.
  public var imageChannels = 3
  /// Channels of latents.
  public var latentChannels = 4
  /// Channels of each block, from the finest down; every block but the last halves the image.
  public var blockChannels = [128, 256, 512, 512]
  /// Residual blocks in each encoder block; one more in the decoder's.
  public var layerCount = 2
  /// The activation of residual blocks.
  public var activation = Activation.silu
  /// Groups of each norm.
  public var normGroupCount = 32
  /// The side of the images it was trained on; larger ones may be cut into tiles.
  public var sampleSize = 512
  /// Latents times this have about unit variance.
  public var scalingFactor: Float = 0.18215
  /// Subtracted from latents before they are scaled.
  public var shiftFactor: Float = 0
  /// Whether a pointwise convolution follows the encoder.
  public var hasQuantConvolution = true
  /// Whether a pointwise convolution precedes the decoder.
  public var hasPostQuantConvolution = true
  /// Whether the middle blocks attend.
  public var hasMidAttention = true

  /// Stable Diffusion's autoencoder.
  public init() {}

  /// How many pixels of an image a latent stands for in each direction.
  public var reduction: Int { 1 << (blockChannels.count - 1) }

  /// Reads a `config.json`.
  ///
  /// - Throws: `FileError` naming the key if one asks for something that Attune does not have.
  public init(path: String) throws { try self.init(json: JSONValue(path: path), path: path) }

  /// Reads what a file would say.
  ///
  /// - Throws: `FileError`, with `path` as the file's name.
  public init(json: JSONValue, path: String) throws {
    var reader = try ConfigurationReader(json, path: path)
    if let name = try reader.string("_class_name"), name != "AutoencoderKL" {
      throw reader.error("_class_name", "is '\(name)'", advice: "Attune reads AutoencoderKL")
    }
    imageChannels = try reader.integer("in_channels") ?? 3
    let outputChannels = try reader.integer("out_channels") ?? 3
    guard outputChannels == imageChannels else {
      throw reader.error("out_channels", "is \(outputChannels), but in_channels \(imageChannels)")
    }
    latentChannels = try reader.integer("latent_channels") ?? 4
    blockChannels = try reader.integers("block_out_channels") ?? [64]
    layerCount = try reader.integer("layers_per_block", in: 1...100) ?? 1
    activation = try reader.choice("act_fn", ActivationName.self)?.activation ?? .silu
    normGroupCount = try reader.integer("norm_num_groups") ?? 32
    sampleSize = try reader.integers("sample_size", count: 1)?.first ?? 32
    scalingFactor = Float(try reader.number("scaling_factor") ?? 0.18215)
    shiftFactor = Float(try reader.number("shift_factor") ?? 0)
    hasQuantConvolution = try reader.boolean("use_quant_conv") ?? true
    hasPostQuantConvolution = try reader.boolean("use_post_quant_conv") ?? true
    hasMidAttention = try reader.boolean("mid_block_add_attention") ?? true
    try reader.require("latents_mean")
    try reader.require("latents_std")
    reader.ignore("force_upcast")
    try checkBlocks(&reader, "down_block_types", "DownEncoderBlock2D")
    try checkBlocks(&reader, "up_block_types", "UpDecoderBlock2D")
    try reader.finish()
    guard !blockChannels.isEmpty, blockChannels.allSatisfy({ $0 % normGroupCount == 0 }) else {
      throw reader.error(
        "norm_num_groups",
        "is \(normGroupCount), which does not divide block_out_channels \(blockChannels)")
    }
    guard scalingFactor != 0 else { throw reader.error("scaling_factor", "is 0") }
  }

  private func checkBlocks(
    _ reader: inout ConfigurationReader, _ key: String, _ kind: String
  ) throws {
    let kinds = try reader.strings(key) ?? [kind]
    guard kinds == [String](repeating: kind, count: blockChannels.count) else {
      throw reader.error(
        key, "is \(kinds)", advice: "Attune has \(kind), one for each of block_out_channels")
    }
  }

  /// What `config.json` says, for diffusers to read.
  public var json: JSONValue {
    func repeated(_ kind: JSONValue) -> JSONValue {
      .array([JSONValue](repeating: kind, count: blockChannels.count))
    }
    return .object([
      "_class_name": "AutoencoderKL", "_diffusers_version": "0.30.0",
      "in_channels": .number(Double(imageChannels)),
      "out_channels": .number(Double(imageChannels)),
      "latent_channels": .number(Double(latentChannels)),
      "block_out_channels": .array(blockChannels.map { .number(Double($0)) }),
      "down_block_types": repeated("DownEncoderBlock2D"),
      "up_block_types": repeated("UpDecoderBlock2D"),
      "layers_per_block": .number(Double(layerCount)),
      "act_fn": .string(ActivationName(activation)?.rawValue ?? activation.rawValue),
      "norm_num_groups": .number(Double(normGroupCount)),
      "sample_size": .number(Double(sampleSize)),
      "scaling_factor": .number(scalingFactor.shortest),
      "shift_factor": shiftFactor == 0 ? .null : .number(shiftFactor.shortest),
      "use_quant_conv": .boolean(hasQuantConvolution),
      "use_post_quant_conv": .boolean(hasPostQuantConvolution),
      "mid_block_add_attention": .boolean(hasMidAttention),
    ])
  }
}
