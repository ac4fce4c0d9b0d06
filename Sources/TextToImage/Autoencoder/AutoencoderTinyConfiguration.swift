import Files
import NeuralNetworks
import Tensors

/// What `AutoencoderTiny` is made of, as in its `config.json`; the defaults are those of TAESD.
public struct AutoencoderTinyConfiguration: Sendable, Equatable {
  /// Channels of images.
  public var imageChannels = 3
  /// Channels of latents.
  public var latentChannels = 4
  /// Channels of the encoder, everywhere.
  public var encoderChannels = 64
  /// Channels of the decoder, everywhere.
  public var decoderChannels = 64
  /// Residual blocks at each size, from the finest down.
  public var encoderBlocks = [1, 3, 3, 3]
  /// Residual blocks at each size, from the coarsest up.
  public var decoderBlocks = [3, 3, 3, 1]
  /// The activation inside of residual blocks.
  public var activation = Activation.relu
  /// Samples are latents times this.
  public var scalingFactor: Float = 1
  /// Subtracted from latents before they are scaled.
  public var shiftFactor: Float = 0

  /// TAESD's.
  public init() {}

  /// How many pixels of an image a latent stands for in each direction.
  public var reduction: Int { 1 << (decoderBlocks.count - 1) }

  /// Reads a `config.json`.
  ///
  /// - Throws: `FileError` naming the key if one asks for something that Attune does not have.
  public init(path: String) throws { try self.init(json: JSONValue(path: path), path: path) }

  /// Reads what a file would say.
  ///
  /// - Throws: `FileError`, with `path` as the file's name.
  public init(json: JSONValue, path: String) throws {
    var reader = try ConfigurationReader(json, path: path)
    if let name = try reader.string("_class_name"), name != AutoencoderTiny.className {
      throw reader.error(
        "_class_name", "is '\(name)'", advice: "Attune reads \(AutoencoderTiny.className)")
    }
    imageChannels = try reader.integer("in_channels") ?? 3
    let outputChannels = try reader.integer("out_channels") ?? 3
    guard outputChannels == imageChannels else {
      throw reader.error("out_channels", "is \(outputChannels), but in_channels \(imageChannels)")
    }
    latentChannels = try reader.integer("latent_channels") ?? 4
    encoderBlocks = try reader.integers("num_encoder_blocks", in: 0...100) ?? [1, 3, 3, 3]
    decoderBlocks = try reader.integers("num_decoder_blocks", in: 0...100) ?? [3, 3, 3, 1]
    encoderChannels = try Self.width(
      &reader, "encoder_block_out_channels", blocks: encoderBlocks.count)
    decoderChannels = try Self.width(
      &reader, "decoder_block_out_channels", blocks: decoderBlocks.count)
    activation = try reader.choice("act_fn", ActivationName.self)?.activation ?? .relu
    scalingFactor = Float(try reader.number("scaling_factor") ?? 1)
    shiftFactor = Float(try reader.number("shift_factor") ?? 0)
    try reader.require("upsample_fn", "nearest")
    try reader.require("upsampling_scaling_factor", 2)
    // What latents are scaled by to be stored as images, and what is said twice.
    reader.ignore(
      "latent_magnitude", "latent_shift", "force_upcast", "block_out_channels", "sample_size")
    try reader.finish()
    guard (1...8).contains(encoderBlocks.count), encoderBlocks.count == decoderBlocks.count else {
      throw reader.error(
        "num_decoder_blocks",
        "has \(decoderBlocks.count) entries, num_encoder_blocks \(encoderBlocks.count)",
        advice: "Attune has as many of both, up to 8")
    }
    guard scalingFactor != 0 else { throw reader.error("scaling_factor", "is 0") }
  }

  private static func width(
    _ reader: inout ConfigurationReader, _ key: String, blocks: Int
  ) throws -> Int {
    let widths = try reader.integers(key) ?? [Int](repeating: 64, count: blocks)
    // Blocks of other widths do not fit one another in diffusers either.
    guard widths.count == blocks, let first = widths.first, Set(widths).count == 1 else {
      throw reader.error(key, "is \(widths)", advice: "Attune has one width for \(blocks) blocks")
    }
    return first
  }

  /// What `config.json` says, for diffusers to read.
  public var json: JSONValue {
    func numbers(_ values: [Int]) -> JSONValue { .array(values.map { .number(Double($0)) }) }
    func repeated(_ width: Int) -> JSONValue {
      numbers([Int](repeating: width, count: decoderBlocks.count))
    }
    return .object([
      "_class_name": .string(AutoencoderTiny.className), "_diffusers_version": "0.30.0",
      "in_channels": .number(Double(imageChannels)),
      "out_channels": .number(Double(imageChannels)),
      "latent_channels": .number(Double(latentChannels)),
      "encoder_block_out_channels": repeated(encoderChannels),
      "decoder_block_out_channels": repeated(decoderChannels),
      "num_encoder_blocks": numbers(encoderBlocks), "num_decoder_blocks": numbers(decoderBlocks),
      "act_fn": .string(ActivationName(activation)?.rawValue ?? activation.rawValue),
      "upsample_fn": "nearest", "upsampling_scaling_factor": 2, "latent_magnitude": 3,
      "latent_shift": 0.5, "force_upcast": false,
      "scaling_factor": .number(scalingFactor.shortest),
      "shift_factor": .number(shiftFactor.shortest),
    ])
  }
}
