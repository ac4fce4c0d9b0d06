import Files
import NeuralNetworks
import TextToImage

extension UNet3DConfiguration: UNetSkeleton {
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
    layerCount = try reader.integer("layers_per_block", in: 1...100) ?? layerCount
    crossAttentionSize = try reader.integer("cross_attention_dim") ?? crossAttentionSize
    headSize = try reader.integer("attention_head_dim") ?? headSize
    try refuse(&reader)
    try reader.finish()
    try checkSkeleton(path: path) { index, channels in
      guard headSize <= channels else {
        throw FileError(
          .malformed, path: path, item: "attention_head_dim",
          problem: "is \(headSize), more than the \(channels) channels of block \(index)")
      }
    }
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

  /// What `config.json` says, for diffusers to read.
  public var json: JSONValue {
    let own: [String: JSONValue] = [
      "layers_per_block": .number(Double(layerCount)),
      "cross_attention_dim": .number(Double(crossAttentionSize)),
      "attention_head_dim": .number(Double(headSize)), "num_attention_heads": .null,
      "time_cond_proj_dim": .null,
    ]
    return .object(skeletonMembers.merging(own) { _, own in own })
  }
}
