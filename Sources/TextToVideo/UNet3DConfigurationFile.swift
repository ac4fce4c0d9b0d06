import Files
import NeuralNetworks
import TextToImage

extension UNet3DConfiguration {
  /// Reads a `config.json`.
  ///
  /// - Throws: `FileError` naming the key if one asks for something that Attune does not have.
  public init(path: String) throws { try self.init(json: JSONValue(path: path), path: path) }

  /// Reads what a file would say.
  ///
  /// - Throws: `FileError`, with `path` as the file's name.
  public init(json: JSONValue, path: String) throws {
    var reader = try ConfigurationReader(json, path: path)
    if let name = try reader.string("_class_name"), name != Self.className {
      throw reader.error(
        "_class_name", "is '\(name)'", advice: "Attune reads \(Self.className)")
    }
    try readBlocks(&reader)
    try refuse(&reader)
    try reader.finish()
    try check(path: path)
  }

  private mutating func readBlocks(_ reader: inout ConfigurationReader) throws {
    sampleSize = try reader.integers("sample_size", count: 2)
    inputChannels = try reader.integer("in_channels") ?? inputChannels
    outputChannels = try reader.integer("out_channels") ?? outputChannels
    downBlocks = try reader.choices("down_block_types") ?? downBlocks
    upBlocks = try reader.choices("up_block_types") ?? upBlocks
    blockChannels = try reader.integers("block_out_channels") ?? blockChannels
    let count = blockChannels.count
    guard count > 0, downBlocks.count == count, upBlocks.count == count else {
      throw reader.error(
        "block_out_channels",
        """
        has \(count) blocks, down_block_types \(downBlocks.count), up_block_types \
        \(upBlocks.count)
        """
      )
    }
    layerCount = try reader.integer("layers_per_block", in: 1...100) ?? layerCount
    downsamplePadding = try reader.integer("downsample_padding", in: 0...1) ?? downsamplePadding
    midBlockScale = Float(try reader.number("mid_block_scale_factor") ?? 1)
    activation = try reader.choice("act_fn", ActivationName.self)?.activation ?? activation
    normGroupCount = try reader.integer("norm_num_groups") ?? normGroupCount
    if reader.hasNull("norm_num_groups") {
      throw reader.error("norm_num_groups", "is null, but Attune's blocks are normalized")
    }
    normEpsilon = Float(try reader.number("norm_eps") ?? 1e-5)
    crossAttentionSize = try reader.integer("cross_attention_dim") ?? crossAttentionSize
    headSize = try reader.integer("attention_head_dim") ?? headSize
  }

  /// Keys with one value that changes nothing. Older files have those of `UNet2DConditionModel`,
  /// which this network never had a use for.
  private func refuse(_ reader: inout ConfigurationReader) throws {
    for key in [
      "num_attention_heads", "time_cond_proj_dim", "class_embed_type", "num_class_embeds",
      "projection_class_embeddings_input_dim", "timestep_post_act",
    ] { try reader.require(key) }
    for key in ["center_input_sample", "dual_cross_attention", "only_cross_attention"] {
      try reader.require(key, false)
    }
    try reader.require("flip_sin_to_cos", true)
    try reader.require("freq_shift", 0)
    try reader.require("mid_block_type", "UNetMidBlock3DCrossAttn", "UNetMidBlock2DCrossAttn")
    try reader.require("resnet_time_scale_shift", "default")
    try reader.require("time_embedding_type", "positional")
    try reader.require("use_linear_projection", true)
    reader.ignore("upcast_attention")
  }

  /// Checks what blocks need of one another, so that no configuration traps.
  private func check(path: String) throws {
    func fail(_ key: String, _ problem: String) -> FileError {
      FileError(.malformed, path: path, item: key, problem: problem)
    }
    for (index, channels) in blockChannels.enumerated() {
      guard channels % normGroupCount == 0 else {
        throw fail(
          "norm_num_groups",
          "is \(normGroupCount), which does not divide the \(channels) channels of block \(index)")
      }
      guard headSize <= channels else {
        throw fail(
          "attention_head_dim",
          "is \(headSize), more than the \(channels) channels of block \(index)")
      }
    }
    guard blockChannels[0] % 2 == 0 else {
      throw fail(
        "block_out_channels", "begins with \(blockChannels[0]), which has no time embedding")
    }
  }

  /// What `config.json` says, for diffusers to read.
  public var json: JSONValue {
    let size: JSONValue =
      switch sampleSize {
      case nil: .null
      case let sides? where Set(sides).count == 1: .number(Double(sides[0]))
      case let sides?: .array(sides.map { .number(Double($0)) })
      }
    return [
      "_class_name": .string(Self.className), "_diffusers_version": "0.30.0",
      "sample_size": size, "in_channels": .number(Double(inputChannels)),
      "out_channels": .number(Double(outputChannels)),
      "down_block_types": .array(downBlocks.map { .string($0.rawValue) }),
      "up_block_types": .array(upBlocks.map { .string($0.rawValue) }),
      "block_out_channels": .array(blockChannels.map { .number(Double($0)) }),
      "layers_per_block": .number(Double(layerCount)),
      "downsample_padding": .number(Double(downsamplePadding)),
      "mid_block_scale_factor": .number(midBlockScale.shortest),
      "act_fn": ActivationName(activation).map { .string($0.rawValue) } ?? .null,
      "norm_num_groups": .number(Double(normGroupCount)),
      "norm_eps": .number(normEpsilon.shortest),
      "cross_attention_dim": .number(Double(crossAttentionSize)),
      "attention_head_dim": .number(Double(headSize)), "num_attention_heads": .null,
      "time_cond_proj_dim": .null,
    ]
  }
}
