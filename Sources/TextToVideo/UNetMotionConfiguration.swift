import NeuralNetworks
import Tensors
import TextToImage

/// What `UNetMotionModel` is made of, as in its `config.json`: a U-Net of images, and the motion
/// modules of AnimateDiff; the defaults are those of diffusers.
public struct UNetMotionConfiguration: PromptedNetworkConfiguration, Equatable {
  /// The blocks on the way down; each of their layers ends in a motion module.
  public enum DownBlock: String, Sendable, CaseIterable {
    /// Without a prompt.
    case plain = "DownBlockMotion"
    /// With a transformer that reads the prompt in each layer.
    case crossAttention = "CrossAttnDownBlockMotion"
  }

  /// The blocks on the way up; each of their layers ends in a motion module.
  public enum UpBlock: String, Sendable, CaseIterable {
    /// Without a prompt.
    case plain = "UpBlockMotion"
    /// With a transformer that reads the prompt in each layer.
    case crossAttention = "CrossAttnUpBlockMotion"
  }

  /// Height and width of samples; nil if the file does not say.
  public var sampleSize: [Int]?
  /// Channels of the sample.
  public var inputChannels = 4
  /// Channels of the prediction.
  public var outputChannels = 4
  /// From the finest down.
  public var downBlocks: [DownBlock] = [.crossAttention, .crossAttention, .crossAttention, .plain]
  /// From the coarsest up.
  public var upBlocks: [UpBlock] = [.plain, .crossAttention, .crossAttention, .crossAttention]
  /// Channels of each block, from the finest down; all other lists are in this order too.
  public var blockChannels = [320, 640, 1_280, 1_280]
  /// Layers of each block down; one more on the way up.
  public var layerCounts = [2, 2, 2, 2]
  /// Zeros around images that are halved; 0 puts them at the lower right only.
  public var downsamplePadding = 1
  /// Divides what the middle residual blocks add up.
  public var midBlockScale: Float = 1
  /// The activation of residual blocks and the time embedding.
  public var activation = Activation.silu
  /// Groups of each norm.
  public var normGroupCount = 32
  /// Added to variances by the norms of residual blocks and before the last convolution.
  public var normEpsilon: Float = 1e-5
  /// The prompt's width at each block.
  public var crossAttentionSizes = [1_280, 1_280, 1_280, 1_280]
  /// Layers of each transformer that reads the prompt.
  public var transformerLayerCounts = [1, 1, 1, 1]
  /// The same in the middle; that of the coarsest block if nil.
  public var midTransformerLayerCount: Int?
  /// Layers of each motion module.
  public var motionLayerCounts = [1, 1, 1, 1]
  /// The same in the middle.
  public var midMotionLayerCount = 1
  /// Whether transformers that read the prompt begin and end with linear layers rather than
  /// convolutions.
  public var usesLinearProjection = false
  /// Heads of the attention to the image and the prompt.
  public var headCounts = [8, 8, 8, 8]
  /// Heads of the attention over frames.
  public var motionHeadCounts = [8, 8, 8, 8]
  /// The maximum number of frames of a clip.
  public var maxFrameCount = 32
  /// Whether there is a motion module in the middle.
  public var hasMidMotion = true

  /// That of diffusers.
  public init() {}

  /// diffusers' U-Net of images with motion modules.
  public static let className = "UNetMotionModel"
  /// The width at each block.
  public var promptSizes: [Int] { crossAttentionSizes }
  /// The key that says so.
  public var promptSizeKey: String { "cross_attention_dim" }
  /// There are none.
  public var wantsClasses: Bool { false }
}
