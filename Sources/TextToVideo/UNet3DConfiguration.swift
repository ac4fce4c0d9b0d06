import NeuralNetworks
import Tensors
import TextToImage

/// What `UNet3DConditionModel` is made of, as in its `config.json`; the defaults are those of
/// diffusers, which are ModelScope's text-to-video network.
public struct UNet3DConfiguration: PromptedNetworkConfiguration, Equatable {
  /// The blocks on the way down.
  public enum DownBlock: String, Sendable, CaseIterable {
    /// Convolutions only.
    case plain = "DownBlock3D"
    /// Each followed by a transformer that reads the prompt, and one over frames.
    case crossAttention = "CrossAttnDownBlock3D"
  }

  /// The blocks on the way up.
  public enum UpBlock: String, Sendable, CaseIterable {
    /// Convolutions only.
    case plain = "UpBlock3D"
    /// Each followed by a transformer that reads the prompt, and one over frames.
    case crossAttention = "CrossAttnUpBlock3D"
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
  /// Channels of each block, from the finest down.
  public var blockChannels = [320, 640, 1_280, 1_280]
  /// Layers of each block down; one more on the way up.
  public var layerCount = 2
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
  /// The prompt's width.
  public var crossAttentionSize = 1_024
  /// The size of an attention head; `attention_head_dim` in the file, which here means what it says.
  /// A block has as many heads as fit into its channels.
  public var headSize = 64

  /// ModelScope's network.
  public init() {}

  /// diffusers' U-Net of clips.
  public static let className = "UNet3DConditionModel"
  /// The width that all blocks share.
  public var promptSizes: [Int] { [crossAttentionSize] }
  /// The key that says so.
  public var promptSizeKey: String { "cross_attention_dim" }
  /// There are none.
  public var wantsClasses: Bool { false }
}
