import Files
import NeuralNetworks
import TextToImage

extension UNetMotionConfiguration {
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
      throw reader.error("_class_name", "is '\(name)'", advice: "Attune reads \(Self.className)")
    }
    try readBlocks(&reader)
    try readTransformers(&reader)
    for key in [
      "reverse_transformer_layers_per_block", "reverse_temporal_transformer_layers_per_block",
      "reverse_motion_num_attention_heads", "encoder_hid_dim", "encoder_hid_dim_type",
      "addition_embed_type", "addition_time_embed_dim", "projection_class_embeddings_input_dim",
      "time_cond_proj_dim",
    ] { try reader.require(key) }
    try reader.require("mid_block_layers", 1)
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
    layerCounts =
      try reader.integers("layers_per_block", count: count, in: 1...100)
      ?? [Int](repeating: 2, count: count)
    downsamplePadding = try reader.integer("downsample_padding", in: 0...1) ?? downsamplePadding
    midBlockScale = Float(try reader.number("mid_block_scale_factor") ?? 1)
    activation = try reader.choice("act_fn", ActivationName.self)?.activation ?? activation
    normGroupCount = try reader.integer("norm_num_groups") ?? normGroupCount
    if reader.hasNull("norm_num_groups") {
      throw reader.error("norm_num_groups", "is null, but Attune's blocks are normalized")
    }
    normEpsilon = Float(try reader.number("norm_eps") ?? 1e-5)
  }

  private mutating func readTransformers(_ reader: inout ConfigurationReader) throws {
    let count = blockChannels.count
    func each(
      _ key: String, _ usual: Int, in range: ClosedRange<Int> = 1...ConfigurationReader.maxSize
    ) throws -> [Int] {
      try reader.integers(key, count: count, in: range) ?? [Int](repeating: usual, count: count)
    }
    crossAttentionSizes = try each("cross_attention_dim", 1_280)
    transformerLayerCounts = try each("transformer_layers_per_block", 1, in: 1...100)
    midTransformerLayerCount = try reader.integer(
      "transformer_layers_per_mid_block", in: 1...100)
    motionLayerCounts = try each("temporal_transformer_layers_per_block", 1, in: 1...100)
    midMotionLayerCount =
      try reader.integer("temporal_transformer_layers_per_mid_block", in: 1...100) ?? 1
    usesLinearProjection = try reader.boolean("use_linear_projection") ?? false
    headCounts = try each("num_attention_heads", 8)
    motionHeadCounts = try each("motion_num_attention_heads", 8)
    maxFrameCount = try reader.integer("motion_max_seq_length", in: 1...1_024) ?? maxFrameCount
    hasMidMotion = try reader.boolean("use_motion_mid_block") ?? true
  }

  /// Checks what blocks need of one another, so that no configuration traps.
  func check(path: String) throws {
    func fail(_ key: String, _ problem: String) -> FileError {
      FileError(.malformed, path: path, item: key, problem: problem)
    }
    for (index, channels) in blockChannels.enumerated() {
      guard channels % normGroupCount == 0 else {
        throw fail(
          "norm_num_groups",
          "is \(normGroupCount), which does not divide the \(channels) channels of block \(index)")
      }
      for (key, heads) in [
        ("num_attention_heads", headCounts[index]),
        ("motion_num_attention_heads", motionHeadCounts[index]),
      ] where heads > channels {
        throw fail(
          key, "is \(heads) heads, more than the \(channels) channels of block \(index)")
      }
      guard channels / motionHeadCounts[index] * motionHeadCounts[index] % 2 == 0 else {
        throw fail(
          "motion_num_attention_heads",
          "is \(motionHeadCounts[index]), which gives an odd width, without sines and cosines")
      }
    }
    guard blockChannels[0] % 2 == 0 else {
      throw fail(
        "block_out_channels", "begins with \(blockChannels[0]), which has no time embedding")
    }
  }

  /// What `config.json` says, for diffusers to read.
  public var json: JSONValue {
    func number(_ value: Int) -> JSONValue { .number(Double(value)) }
    func numbers(_ values: [Int]) -> JSONValue { .array(values.map(number)) }
    /// One number where all are equal.
    func shared(_ values: [Int]) -> JSONValue {
      Set(values).count == 1 ? number(values[0]) : numbers(values)
    }
    return [
      "_class_name": .string(Self.className), "_diffusers_version": "0.30.0",
      "sample_size": sampleSize.map(shared) ?? .null, "in_channels": number(inputChannels),
      "out_channels": number(outputChannels),
      "down_block_types": .array(downBlocks.map { .string($0.rawValue) }),
      "up_block_types": .array(upBlocks.map { .string($0.rawValue) }),
      "block_out_channels": numbers(blockChannels), "layers_per_block": shared(layerCounts),
      "downsample_padding": number(downsamplePadding),
      "mid_block_scale_factor": .number(midBlockScale.shortest),
      "act_fn": ActivationName(activation).map { .string($0.rawValue) } ?? .null,
      "norm_num_groups": number(normGroupCount), "norm_eps": .number(normEpsilon.shortest),
      "cross_attention_dim": shared(crossAttentionSizes),
      "transformer_layers_per_block": shared(transformerLayerCounts),
      "transformer_layers_per_mid_block": midTransformerLayerCount.map(number) ?? .null,
      "temporal_transformer_layers_per_block": shared(motionLayerCounts),
      "temporal_transformer_layers_per_mid_block": number(midMotionLayerCount),
      "use_linear_projection": .boolean(usesLinearProjection),
      "num_attention_heads": shared(headCounts),
      "motion_num_attention_heads": shared(motionHeadCounts),
      "motion_max_seq_length": number(maxFrameCount),
      "use_motion_mid_block": .boolean(hasMidMotion), "mid_block_layers": 1,
    ]
  }
}
