import Files
import NeuralNetworks
import Tensors

extension UNetConfiguration: UNetSkeleton {
  /// Reads a `config.json`.
  ///
  /// - Throws: `FileError` naming the key if one asks for something that Attune does not have.
  public init(path: String) throws { try self.init(json: JSONValue(path: path), path: path) }

  /// Reads what a file would say.
  ///
  /// - Throws: `FileError`, with `path` as the file's name.
  public init(json: JSONValue, path: String) throws {
    var reader = try ConfigurationReader(json, path: path)
    try self.init(&reader)
    try reader.finish()
    try check(path: path)
  }

  private init(_ reader: inout ConfigurationReader) throws {
    try readSkeleton(&reader)
    try readBlocks(&reader)
    try readEmbeddings(&reader)
    let kernels = 1...63
    inputKernelSize = try reader.integer("conv_in_kernel", in: kernels) ?? 3
    outputKernelSize = try reader.integer("conv_out_kernel", in: kernels) ?? 3
    try refuse(&reader)
  }

  private mutating func readBlocks(_ reader: inout ConfigurationReader) throws {
    let count = blockChannels.count
    centersInput = try reader.boolean("center_input_sample") ?? false
    // A missing key has a default, an explicit null means none.
    let middle = try reader.choice("mid_block_type", MidBlock.self)
    midBlock = reader.hasNull("mid_block_type") ? nil : middle ?? .crossAttention
    layerCounts =
      try reader.integers("layers_per_block", count: count, in: 1...100)
      ?? [Int](repeating: 2, count: count)
    onlyCrossAttention = try reader.booleans("only_cross_attention", count: count)
    crossAttentionSizes =
      try reader.integers("cross_attention_dim", count: count)
      ?? [Int](repeating: 1_280, count: count)
    transformerLayerCounts =
      try reader.integers(
        "transformer_layers_per_block", count: count, in: 1...100)
      ?? [Int](repeating: 1, count: count)
    upTransformerLayerCounts = try reader.integers(
      "reverse_transformer_layers_per_block", count: count, in: 1...100)
    headCounts =
      try reader.integers("attention_head_dim", count: count)
      ?? [Int](repeating: 8, count: count)
    usesLinearProjection = try reader.boolean("use_linear_projection") ?? false
  }

  private mutating func readEmbeddings(_ reader: inout ConfigurationReader) throws {
    isCosineFirst = try reader.boolean("flip_sin_to_cos") ?? true
    frequencyShift = try reader.integer("freq_shift", in: 0...1) ?? 0
    timeInfluence = try reader.choice("resnet_time_scale_shift") ?? .added
    timeEmbeddingSize = try reader.integer("time_embedding_dim")
    timeEmbeddingActivation =
      try reader.choice("time_embedding_act_fn", ActivationName.self)?.activation
    timeEmbeddingFinalActivation =
      try reader.choice("timestep_post_act", ActivationName.self)?.activation
    guidanceEmbeddingSize = try reader.integer("time_cond_proj_dim")
    if let size = guidanceEmbeddingSize, size < 4 || size % 2 != 0 {
      throw reader.error("time_cond_proj_dim", "is \(size), not an even number from 4 up")
    }
    let classCount = try reader.integer("num_class_embeds")
    let projectionSize = try reader.integer("projection_class_embeddings_input_dim")
    concatenatesClassEmbedding = try reader.boolean("class_embeddings_concat") ?? false
    func inputSize() throws -> Int {
      guard let projectionSize else {
        throw reader.error(
          "projection_class_embeddings_input_dim", "is missing, but class_embed_type needs it")
      }
      return projectionSize
    }
    let type = try reader.string("class_embed_type")
    switch type {
    case nil: classEmbedding = classCount.map { .table(count: $0) }
    case "timestep": classEmbedding = .timestep
    case "identity": classEmbedding = .identity
    case "projection": classEmbedding = .projection(inputSize: try inputSize())
    case "simple_projection": classEmbedding = .simpleProjection(inputSize: try inputSize())
    case .some(let other):
      throw reader.error(
        "class_embed_type", "is '\(other)', which Attune does not have",
        advice: "it has timestep, identity, projection and simple_projection")
    }
    promptSize = try reader.integer("encoder_hid_dim")
    if promptSize != nil { try reader.require("encoder_hid_dim_type", "text_proj") }
  }

  /// Keys with one value that changes nothing, and keys that never do for these blocks.
  private func refuse(_ reader: inout ConfigurationReader) throws {
    try reader.require("time_embedding_type", "positional")
    try reader.require("encoder_hid_dim_type", "text_proj")
    for key in ["addition_embed_type", "addition_time_embed_dim", "num_attention_heads"] {
      try reader.require(key)
    }
    try reader.require("dual_cross_attention", false)
    try reader.require("attention_type", "default")
    reader.ignore(
      "upcast_attention", "dropout", "mid_block_only_cross_attention", "cross_attention_norm",
      "addition_embed_type_num_heads", "resnet_skip_time_act", "resnet_out_scale_factor",
      "num_class_embeds", "projection_class_embeddings_input_dim")
  }

  /// Checks what blocks need of one another, so that no configuration traps.
  private func check(path: String) throws {
    func fail(_ key: String, _ problem: String) -> FileError {
      FileError(.malformed, path: path, item: key, problem: problem)
    }
    try checkSkeleton(path: path) { index, channels in
      guard headCounts[index] <= channels else {
        throw fail(
          "attention_head_dim",
          "is \(headCounts[index]) heads, more than the \(channels) channels of block \(index)")
      }
    }
    guard blockChannels[0] / 2 > frequencyShift else {
      throw fail(
        "block_out_channels", "begins with \(blockChannels[0]), which has no time embedding")
    }
    guard inputKernelSize % 2 == 1, outputKernelSize % 2 == 1 else {
      throw fail("conv_in_kernel", "or conv_out_kernel is even, which changes the sample's size")
    }
    if promptSize != nil, Set(crossAttentionSizes).count > 1 {
      throw fail("encoder_hid_dim", "needs one cross_attention_dim for all blocks")
    }
  }
}

extension UNetConfiguration {
  /// What `config.json` says, for diffusers to read.
  public var json: JSONValue {
    func optional(_ value: Int?) -> JSONValue { value.map { .number(Double($0)) } ?? .null }
    func name(_ activation: Activation?) -> JSONValue {
      activation.flatMap(ActivationName.init).map { .string($0.rawValue) } ?? .null
    }
    let own: [String: JSONValue] = [
      "center_input_sample": .boolean(centersInput), "flip_sin_to_cos": .boolean(isCosineFirst),
      "freq_shift": .number(Double(frequencyShift)),
      "mid_block_type": midBlock.map { .string($0.rawValue) } ?? .null,
      "only_cross_attention": Set(onlyCrossAttention).count == 1
        ? .boolean(onlyCrossAttention[0]) : .array(onlyCrossAttention.map { .boolean($0) }),
      "layers_per_block": .shared(layerCounts), "cross_attention_dim": .shared(crossAttentionSizes),
      "transformer_layers_per_block": .shared(transformerLayerCounts),
      "attention_head_dim": .shared(headCounts),
      "use_linear_projection": .boolean(usesLinearProjection),
      "class_embeddings_concat": .boolean(concatenatesClassEmbedding),
      "resnet_time_scale_shift": .string(timeInfluence.rawValue),
      "time_embedding_type": "positional", "time_embedding_dim": optional(timeEmbeddingSize),
      "time_embedding_act_fn": name(timeEmbeddingActivation),
      "timestep_post_act": name(timeEmbeddingFinalActivation),
      "time_cond_proj_dim": optional(guidanceEmbeddingSize),
      "conv_in_kernel": .number(Double(inputKernelSize)),
      "conv_out_kernel": .number(Double(outputKernelSize)),
      "encoder_hid_dim": optional(promptSize),
      "encoder_hid_dim_type": promptSize == nil ? .null : "text_proj",
    ]
    var members = skeletonMembers.merging(own) { _, own in own }
    if let upTransformerLayerCounts {
      members["reverse_transformer_layers_per_block"] = .array(
        upTransformerLayerCounts.map { .number(Double($0)) })
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
