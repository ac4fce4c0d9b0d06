import Diffusion
import Files
import NeuralNetworks
import Tensors

/// A network that removes noise as prompts say; what sets one kind of model folder apart from
/// another.
public protocol PromptedNetwork: Module {
  /// What its configuration file says.
  associatedtype Configuration: PromptedNetworkConfiguration

  /// The class of diffusers whose model folders have such a network; what is written here says it.
  static var pipelineClass: String { get }
  /// All classes of diffusers whose model folders have such a network.
  static var pipelineClasses: [String] { get }
  /// What such a model is, as in "a text-to-image model".
  static var modelNoun: String { get }
  /// Whether samples are clips `[F, h, w, C]`; else they are images `[h, w, C]`.
  static var hasFrames: Bool { get }
  /// What the pipeline's `model_index.json` says besides the parts that all models have.
  static var otherIndexMembers: [String: JSONValue] { get }

  /// What the network is made of.
  var configuration: Configuration { get }

  /// A network with random weights.
  init(_ configuration: Configuration, random: inout some RandomSource)

  /// Keys and values of encoded prompts `[B, L, D]`, for any number of predictions.
  func context(_ prompts: Tensor) -> PromptContext

  /// The prediction for a batch.
  ///
  /// - Parameters:
  ///   - sample: `[B, ..., inputChannels]`.
  ///   - timeSteps: shared by the batch or one for each row.
  ///   - context: the prompts, one for each row.
  /// - Returns: `[B, ..., outputChannels]`
  func prediction(_ sample: Tensor, timeSteps: Broadcast<Float>, context: PromptContext) -> Tensor

  /// Writes what diffusers' pipeline wants in a model folder besides the parts that all models have.
  ///
  /// - Throws: `FileError` if the system refuses.
  func writeOtherParts(folder: String, elementType: ElementType, maxShardByteCount: Int) throws
}

/// What a network is made of, as in its `config.json`.
public protocol PromptedNetworkConfiguration: Sendable {
  /// The class of diffusers that the file names.
  static var className: String { get }

  /// Height and width of samples; nil if the file does not say.
  var sampleSize: [Int]? { get }
  /// Channels of the sample.
  var inputChannels: Int { get }
  /// Channels of the prediction.
  var outputChannels: Int { get }
  /// Channels of each block, from the finest down.
  var blockChannels: [Int] { get }
  /// The widths that the states of prompts must have: one, unless no prompt fits.
  var promptSizes: [Int] { get }
  /// The key that says so.
  var promptSizeKey: String { get }
  /// Whether the network wants classes, which prompts do not give.
  var wantsClasses: Bool { get }
  /// Whether the network is told the guidance scale, and gives the guided prediction in one run.
  var embedsGuidance: Bool { get }
  /// What the file would say, for diffusers to read.
  var json: JSONValue { get }

  /// Reads a `config.json`.
  ///
  /// - Throws: `FileError` naming the key if one asks for something that Attune does not have.
  init(path: String) throws
}

extension PromptedNetworkConfiguration {
  /// No.
  public var embedsGuidance: Bool { false }
}

extension PromptedNetwork {
  /// The one.
  public static var pipelineClasses: [String] { [pipelineClass] }

  /// Guidance as it acts around the network: none where the network is told the scale.
  package func outerGuidance(_ guidance: Guidance) -> Guidance {
    configuration.embedsGuidance ? Guidance(scale: 1) : guidance
  }

  /// Nothing.
  public func writeOtherParts(
    folder: String, elementType: ElementType, maxShardByteCount: Int
  ) throws {}

  /// The prediction for a batch, in shards that one worker each takes from start to end; not
  /// recorded.
  ///
  /// Where there are too few rows for the workers, the operations themselves are split.
  public func sharded(
    _ sample: Tensor, timeSteps: Broadcast<Float>, context: PromptContext
  ) -> Tensor {
    let count = sample.shape[0]
    let workers = WorkerPool.shared.threadCount
    guard workers > 1, count % workers == 0 || count >= 4 * workers else {
      return prediction(sample, timeSteps: timeSteps, context: context)
    }
    // About a megabyte for each of the finest block's activations.
    let places = sample.shape.dropFirst().dropLast().reduce(1, *)
    let rowSize = places * configuration.blockChannels[0]
    let fairShare = (count + workers - 1) / workers
    let shardSize = min(fairShare, max(1, (1 << 18) / rowSize))
    return shardedMap(count: count, shardSize: shardSize) { rows in
      let times: Broadcast<Float> =
        switch timeSteps {
        case .shared: timeSteps
        case .perRow(let values): .perRow(Array(values[rows]))
        }
      return prediction(sample.slice(rows), timeSteps: times, context: context.slice(rows))
    }
  }

  /// A frozen network with the present weights, which share memory until one of the two changes.
  public func frozenCopy() -> Self {
    var unset = UnsetWeights()
    let copy = Self(configuration, random: &unset)
    for (mine, other) in zip(parameters, copy.parameters) {
      other.parameter.value = mine.parameter.value
      other.parameter.isTrainable = false
    }
    return copy
  }
}

extension UNet2DConditionModel: PromptedNetwork {
  /// Stable Diffusion's pipeline.
  public static let pipelineClass = "StableDiffusionPipeline"
  /// The same, and that of models that were distilled with their guidance.
  public static let pipelineClasses = [pipelineClass, "LatentConsistencyModelPipeline"]
  /// It makes images.
  public static let modelNoun = "a text-to-image model"
  /// Images.
  public static let hasFrames = false
  /// No filter of images, and nothing that reads them.
  public static let otherIndexMembers: [String: JSONValue] = [
    "feature_extractor": [nil, nil], "image_encoder": [nil, nil], "safety_checker": [nil, nil],
    "requires_safety_checker": false,
  ]

  /// The prediction `[B, H, W, outputChannels]` of a network without classes.
  public func prediction(
    _ sample: Tensor, timeSteps: Broadcast<Float>, context: PromptContext
  ) -> Tensor { self(sample, timeSteps: timeSteps, context: context) }
}

extension UNetConfiguration: PromptedNetworkConfiguration {
  /// diffusers' U-Net of images.
  public static let className = "UNet2DConditionModel"

  /// Of the prompt's projection, or of every block's attention.
  public var promptSizes: [Int] { promptSize.map { [$0] } ?? crossAttentionSizes }
  /// Of the prompt's projection, or of attention.
  public var promptSizeKey: String {
    promptSize == nil ? "cross_attention_dim" : "encoder_hid_dim"
  }
  /// Whether it has a class embedding.
  public var wantsClasses: Bool { classEmbedding != nil }
  /// Whether it was distilled with its guidance.
  public var embedsGuidance: Bool { guidanceEmbeddingSize != nil }
}
