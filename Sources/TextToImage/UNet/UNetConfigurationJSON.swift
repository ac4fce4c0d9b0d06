import Files
import NeuralNetworks
import Tensors

extension UNetConfiguration {
  /// What `config.json` says, for diffusers to read.
  public var json: JSONValue {
    func numbers(_ values: [Int]) -> JSONValue { .array(values.map { .number(Double($0)) }) }
    /// One number where all are equal, as older versions of diffusers want it.
    func shared(_ values: [Int]) -> JSONValue {
      Set(values).count == 1 ? .number(Double(values[0])) : numbers(values)
    }
    func optional(_ value: Int?) -> JSONValue { value.map { .number(Double($0)) } ?? .null }
    func name(_ activation: Activation?) -> JSONValue {
      activation.flatMap(ActivationName.init).map { .string($0.rawValue) } ?? .null
    }
    var members: [String: JSONValue] = [
      "_class_name": "UNet2DConditionModel", "_diffusers_version": "0.30.0",
      "sample_size": sampleSize.map(shared) ?? .null,
      "in_channels": .number(Double(inputChannels)),
      "out_channels": .number(Double(outputChannels)),
      "center_input_sample": .boolean(centersInput), "flip_sin_to_cos": .boolean(isCosineFirst),
      "freq_shift": .number(Double(frequencyShift)),
      "down_block_types": .array(downBlocks.map { .string($0.rawValue) }),
      "mid_block_type": midBlock.map { .string($0.rawValue) } ?? .null,
      "up_block_types": .array(upBlocks.map { .string($0.rawValue) }),
      "only_cross_attention": Set(onlyCrossAttention).count == 1
        ? .boolean(onlyCrossAttention[0]) : .array(onlyCrossAttention.map { .boolean($0) }),
      "block_out_channels": numbers(blockChannels), "layers_per_block": shared(layerCounts),
      "downsample_padding": .number(Double(downsamplePadding)),
      "mid_block_scale_factor": .number(midBlockScale.shortest), "act_fn": name(activation),
      "norm_num_groups": .number(Double(normGroupCount)),
      "norm_eps": .number(normEpsilon.shortest), "cross_attention_dim": shared(crossAttentionSizes),
      "transformer_layers_per_block": shared(transformerLayerCounts),
      "attention_head_dim": shared(headCounts),
      "use_linear_projection": .boolean(usesLinearProjection),
      "class_embeddings_concat": .boolean(concatenatesClassEmbedding),
      "resnet_time_scale_shift": .string(timeInfluence.rawValue),
      "time_embedding_type": "positional", "time_embedding_dim": optional(timeEmbeddingSize),
      "time_embedding_act_fn": name(timeEmbeddingActivation),
      "timestep_post_act": name(timeEmbeddingFinalActivation),
      "conv_in_kernel": .number(Double(inputKernelSize)),
      "conv_out_kernel": .number(Double(outputKernelSize)),
      "encoder_hid_dim": optional(promptSize),
      "encoder_hid_dim_type": promptSize == nil ? .null : "text_proj",
    ]
    if let upTransformerLayerCounts {
      members["reverse_transformer_layers_per_block"] = numbers(upTransformerLayerCounts)
    }
    switch classEmbedding {
    case nil: break
    case .table(let count): members["num_class_embeds"] = .number(Double(count))
    case .timestep: members["class_embed_type"] = "timestep"
    case .identity: members["class_embed_type"] = "identity"
    case .projection(let size):
      members["class_embed_type"] = "projection"
      members["projection_class_embeddings_input_dim"] = .number(Double(size))
    case .simpleProjection(let size):
      members["class_embed_type"] = "simple_projection"
      members["projection_class_embeddings_input_dim"] = .number(Double(size))
    }
    return .object(members)
  }
}
