import Files
import NeuralNetworks
import TextToImage

extension UNetMotionConfiguration: UNetSkeleton {
  /// Reads a `config.json`.
  ///
  /// - Throws: `FileError` naming the key if one asks for something that Attune does not have.
  public init(path: String) throws { try self.init(json: JSONValue(path: path), path: path) }

  /// Reads what a file would say.
  ///
  /// - Throws: `FileError`, with `path` as the file's name.
  public init(json: JSONValue, path: String) throws {
    var reader = try ConfigurationReader(json, path: path)
    try readSkeleton(&reader)
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

  private mutating func readTransformers(_ reader: inout ConfigurationReader) throws {
    let count = blockChannels.count
    func each(
      _ key: String, _ usual: Int, in range: ClosedRange<Int> = 1...ConfigurationReader.maxSize
    ) throws -> [Int] {
      try reader.integers(key, count: count, in: range) ?? [Int](repeating: usual, count: count)
    }
    layerCounts = try each("layers_per_block", 2, in: 1...100)
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
    try checkSkeleton(path: path) { index, channels in
      func fail(_ key: String, _ problem: String) -> FileError {
        FileError(.malformed, path: path, item: key, problem: problem)
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
  }

  /// What `config.json` says, for diffusers to read.
  public var json: JSONValue {
    func number(_ value: Int) -> JSONValue { .number(Double(value)) }
    let own: [String: JSONValue] = [
      "layers_per_block": .shared(layerCounts), "cross_attention_dim": .shared(crossAttentionSizes),
      "transformer_layers_per_block": .shared(transformerLayerCounts),
      "transformer_layers_per_mid_block": midTransformerLayerCount.map(number) ?? .null,
      "temporal_transformer_layers_per_block": .shared(motionLayerCounts),
      "temporal_transformer_layers_per_mid_block": number(midMotionLayerCount),
      "use_linear_projection": .boolean(usesLinearProjection),
      "num_attention_heads": .shared(headCounts),
      "motion_num_attention_heads": .shared(motionHeadCounts),
      "motion_max_seq_length": number(maxFrameCount),
      "use_motion_mid_block": .boolean(hasMidMotion), "mid_block_layers": 1,
    ]
    return .object(skeletonMembers.merging(own) { _, own in own })
  }
}
