import Files
import NeuralNetworks
import Tensors
import TextToImage

/// What a folder of motion modules says that belong into any U-Net of Stable Diffusion 1:
/// diffusers' `MotionAdapter`.
struct MotionAdapterConfiguration: Equatable {
  static let className = "MotionAdapter"

  /// Channels of each block, from the finest down; all other lists are in this order too.
  var blockChannels = [320, 640, 1_280, 1_280]
  /// Motion modules of each block down; one more on the way up.
  var layerCounts = [2, 2, 2, 2]
  /// Layers of each motion module.
  var transformerLayerCounts = [1, 1, 1, 1]
  /// The same in the middle.
  var midTransformerLayerCount = 1
  /// Attention heads.
  var headCounts = [8, 8, 8, 8]
  /// Groups of each norm.
  var normGroupCount = 32
  /// The maximum number of frames of a clip.
  var maxFrameCount = 32
  /// Whether there is a motion module in the middle.
  var hasMidMotion = true

  /// Reads a `config.json`.
  ///
  /// - Throws: `FileError` naming the key if one asks for something that Attune does not have.
  init(path: String) throws { try self.init(json: JSONValue(path: path), path: path) }

  init(json: JSONValue, path: String) throws {
    var reader = try ConfigurationReader(json, path: path)
    if let name = try reader.string("_class_name"), name != Self.className {
      throw reader.error("_class_name", "is '\(name)'", advice: "name a \(Self.className)")
    }
    blockChannels = try reader.integers("block_out_channels") ?? blockChannels
    let count = blockChannels.count
    func each(_ key: String, _ usual: Int) throws -> [Int] {
      try reader.integers(key, count: count, in: 1...1_024)
        ?? [Int](repeating: usual, count: count)
    }
    layerCounts = try each("motion_layers_per_block", 2)
    transformerLayerCounts = try each("motion_transformer_layers_per_block", 1)
    midTransformerLayerCount =
      try reader.integer("motion_transformer_layers_per_mid_block", in: 1...100) ?? 1
    headCounts = try each("motion_num_attention_heads", 8)
    normGroupCount = try reader.integer("motion_norm_num_groups") ?? normGroupCount
    maxFrameCount = try reader.integer("motion_max_seq_length", in: 1...1_024) ?? maxFrameCount
    hasMidMotion = try reader.boolean("use_motion_mid_block") ?? true
    try reader.require("motion_mid_block_layers_per_block", 1)
    try reader.require("conv_in_channels")
    try reader.require("motion_activation_fn", "geglu")
    try reader.require("motion_attention_bias", false)
    try reader.require("motion_cross_attention_dim")
    try reader.finish()
  }

  /// What the adapter in a network would say.
  init(_ network: UNetMotionConfiguration) {
    blockChannels = network.blockChannels
    layerCounts = network.layerCounts
    transformerLayerCounts = network.motionLayerCounts
    midTransformerLayerCount = network.midMotionLayerCount
    headCounts = network.motionHeadCounts
    normGroupCount = network.normGroupCount
    maxFrameCount = network.maxFrameCount
    hasMidMotion = network.hasMidMotion
  }

  /// What `config.json` says, for diffusers to read.
  var json: JSONValue {
    func number(_ value: Int) -> JSONValue { .number(Double(value)) }
    /// One number where all are equal.
    func shared(_ values: [Int]) -> JSONValue {
      Set(values).count == 1 ? number(values[0]) : .array(values.map(number))
    }
    return [
      "_class_name": .string(Self.className), "_diffusers_version": "0.30.0",
      "block_out_channels": .array(blockChannels.map(number)),
      "motion_layers_per_block": shared(layerCounts),
      "motion_transformer_layers_per_block": shared(transformerLayerCounts),
      "motion_mid_block_layers_per_block": 1,
      "motion_transformer_layers_per_mid_block": number(midTransformerLayerCount),
      "motion_num_attention_heads": shared(headCounts),
      "motion_norm_num_groups": number(normGroupCount),
      "motion_max_seq_length": number(maxFrameCount),
      "use_motion_mid_block": .boolean(hasMidMotion), "conv_in_channels": .null,
    ]
  }
}

/// The motion modules of a network alone, under the names that they have in it: a `MotionAdapter`'s.
private final class MotionModules: Module {
  let network: UNetMotionModel

  init(of network: UNetMotionModel) { self.network = network }

  func collect(into parameters: inout NamedParameters) {
    for (name, parameter) in network.parameters where name.contains("motion_modules.") {
      parameters.add(name, parameter)
    }
  }
}

extension UNetMotionModel {
  /// A U-Net of images with the motion modules of a folder, as diffusers'
  /// `UNetMotionModel.from_unet2d` joins them. Weights of images are shared until one of the two
  /// changes.
  ///
  /// - Parameters:
  ///   - images: such as that of Stable Diffusion 1.
  ///   - adapterFolder: with `config.json` and weights of a `MotionAdapter`.
  /// - Throws: `FileError` if the folder is damaged or does not fit the U-Net.
  public convenience init(images: UNet2DConditionModel, adapterFolder: String) throws {
    let path = "\(adapterFolder)/config.json"
    var unset = UnsetWeights()
    self.init(
      try UNetMotionConfiguration(
        images: images.configuration, adapter: MotionAdapterConfiguration(path: path), path: path),
      random: &unset)
    let known = images.parameters.values
    for (name, parameter) in parameters {
      if let value = known[name] { parameter.value = value }
    }
    try ComponentWeights(folder: adapterFolder, name: "diffusion_pytorch_model")
      .load(into: MotionModules(of: self))
  }

  /// Writes the motion modules once more as an adapter of their own, which diffusers' pipeline wants
  /// beside the network.
  public func writeOtherParts(
    folder: String, elementType: ElementType, maxShardByteCount: Int
  ) throws {
    let adapter = "\(folder)/motion_adapter"
    try AtomicFolder.create(adapter)
    try MotionAdapterConfiguration(configuration).json.write(to: "\(adapter)/config.json")
    try ComponentWeights(folder: adapter, name: "diffusion_pytorch_model").write(
      MotionModules(of: self), as: elementType, maxShardByteCount: maxShardByteCount)
  }
}

extension UNetMotionConfiguration {
  /// The network that a U-Net of images becomes with an adapter.
  ///
  /// - Parameter path: the adapter's file, for errors.
  /// - Throws: `FileError` if the two do not fit.
  init(images: UNetConfiguration, adapter: MotionAdapterConfiguration, path: String) throws {
    self.init()
    func require(_ isMet: Bool, _ key: String, _ problem: String) throws {
      guard !isMet else { return }
      throw FileError(
        .unsupported, path: path, item: key, problem: problem,
        advice: "an adapter goes with the U-Nets that it was learned for, such as Stable "
          + "Diffusion 1's")
    }
    try require(
      adapter.blockChannels == images.blockChannels, "block_out_channels",
      "is \(adapter.blockChannels), but the U-Net has \(images.blockChannels)")
    try require(
      adapter.layerCounts == images.layerCounts, "motion_layers_per_block",
      "is \(adapter.layerCounts), but the U-Net has \(images.layerCounts)")
    try require(
      adapter.normGroupCount == images.normGroupCount, "motion_norm_num_groups",
      "is \(adapter.normGroupCount), but the U-Net has \(images.normGroupCount)")
    // What the network with motion modules has no way to do.
    var plain = UNetConfiguration()
    plain.sampleSize = images.sampleSize
    plain.inputChannels = images.inputChannels
    plain.outputChannels = images.outputChannels
    plain.downBlocks = images.downBlocks
    plain.upBlocks = images.upBlocks
    plain.onlyCrossAttention = images.onlyCrossAttention.map { _ in false }
    plain.blockChannels = images.blockChannels
    plain.layerCounts = images.layerCounts
    plain.downsamplePadding = images.downsamplePadding
    plain.midBlockScale = images.midBlockScale
    plain.activation = images.activation
    plain.normGroupCount = images.normGroupCount
    plain.normEpsilon = images.normEpsilon
    plain.crossAttentionSizes = images.crossAttentionSizes
    plain.transformerLayerCounts = images.transformerLayerCounts
    plain.headCounts = images.headCounts
    plain.usesLinearProjection = images.usesLinearProjection
    try require(
      plain == images, "_class_name",
      "is a \(MotionAdapterConfiguration.className), which does not go with classes, projected "
        + "prompts, other middles or other time embeddings than Stable Diffusion's")

    sampleSize = images.sampleSize
    inputChannels = images.inputChannels
    outputChannels = images.outputChannels
    downBlocks = images.downBlocks.map { $0 == .crossAttention ? .crossAttention : .plain }
    upBlocks = images.upBlocks.map { $0 == .crossAttention ? .crossAttention : .plain }
    blockChannels = images.blockChannels
    layerCounts = images.layerCounts
    downsamplePadding = images.downsamplePadding
    midBlockScale = images.midBlockScale
    activation = images.activation
    normGroupCount = images.normGroupCount
    normEpsilon = images.normEpsilon
    crossAttentionSizes = images.crossAttentionSizes
    transformerLayerCounts = images.transformerLayerCounts
    usesLinearProjection = images.usesLinearProjection
    headCounts = images.headCounts
    motionLayerCounts = adapter.transformerLayerCounts
    midMotionLayerCount = adapter.midTransformerLayerCount
    motionHeadCounts = adapter.headCounts
    maxFrameCount = adapter.maxFrameCount
    hasMidMotion = adapter.hasMidMotion
    try check(path: path)
  }
}
