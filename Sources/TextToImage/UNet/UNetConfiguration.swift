import NeuralNetworks
import Tensors

/// What `UNet2DConditionModel` is made of, as in its `config.json`; the defaults are Stable
/// Diffusion 1's.
public struct UNetConfiguration: Sendable, Equatable {
  /// The blocks on the way down.
  public enum DownBlock: String, Sendable, CaseIterable {
    /// Convolutions only.
    case plain = "DownBlock2D"
    /// Each followed by a transformer that reads the prompt.
    case crossAttention = "CrossAttnDownBlock2D"
  }

  /// The blocks at the bottom.
  public enum MidBlock: String, Sendable, CaseIterable {
    /// One residual block.
    case plain = "UNetMidBlock2D"
    /// A transformer between two residual blocks.
    case crossAttention = "UNetMidBlock2DCrossAttn"
  }

  /// The blocks on the way up.
  public enum UpBlock: String, Sendable, CaseIterable {
    /// Convolutions only.
    case plain = "UpBlock2D"
    /// Each followed by a transformer that reads the prompt.
    case crossAttention = "CrossAttnUpBlock2D"
  }

  /// How the time embedding acts on a residual block.
  public enum TimeInfluence: String, Sendable, CaseIterable {
    /// It is added.
    case added = "default"
    /// It scales and shifts what is normalized.
    case scaleAndShift = "scale_shift"
  }

  /// How a class is added to the time embedding.
  public enum ClassEmbedding: Sendable, Equatable {
    /// A table with so many classes.
    case table(count: Int)
    /// A number, embedded like a time step.
    case timestep
    /// A vector of the embedding's width.
    case identity
    /// A vector of the given width through two layers.
    case projection(inputSize: Int)
    /// A vector of the given width through one layer.
    case simpleProjection(inputSize: Int)
  }

  /// Height and width of samples; nil if the file does not say.
  public var sampleSize: [Int]? = [64, 64]
  /// Channels of the sample.
  public var inputChannels = 4
  /// Channels of the prediction.
  public var outputChannels = 4
  /// Whether samples in 0 ... 1 are brought to -1 ... 1 first.
  public var centersInput = false
  /// Cosines before sines in the time embedding.
  public var isCosineFirst = true
  /// See `SinusoidalEmbedding`.
  public var frequencyShift = 0
  /// From the finest down.
  public var downBlocks: [DownBlock] = [.crossAttention, .crossAttention, .crossAttention, .plain]
  /// Nil for none.
  public var midBlock: MidBlock? = .crossAttention
  /// From the coarsest up.
  public var upBlocks: [UpBlock] = [.plain, .crossAttention, .crossAttention, .crossAttention]
  /// Whether a block's transformers attend to the prompt twice and never to the image.
  public var onlyCrossAttention = [false, false, false, false]
  /// Channels of each block, from the finest down; all other lists are in this order too.
  public var blockChannels = [320, 640, 1_280, 1_280]
  /// Residual blocks in each block down; one more on the way up.
  public var layerCounts = [2, 2, 2, 2]
  /// Zeros around images that are halved; 0 puts them at the lower right only.
  public var downsamplePadding = 1
  /// Divides what the middle residual blocks add up.
  public var midBlockScale: Float = 1
  /// The activation of residual blocks and embeddings.
  public var activation = Activation.silu
  /// Groups of each norm.
  public var normGroupCount = 32
  /// Added to variances.
  public var normEpsilon: Float = 1e-5
  /// The prompt's width at each block.
  public var crossAttentionSizes = [768, 768, 768, 768]
  /// Layers of each transformer.
  public var transformerLayerCounts = [1, 1, 1, 1]
  /// The same on the way up, from the coarsest; nil if it is the reverse.
  public var upTransformerLayerCounts: [Int]?
  /// Attention heads at each block; `attention_head_dim` in the file, whose name is a mistake kept.
  public var headCounts = [8, 8, 8, 8]
  /// Whether transformers begin and end with linear layers rather than convolutions.
  public var usesLinearProjection = false
  /// The prompt's width before a linear layer brings it to `crossAttentionSizes`; nil for no such
  /// layer.
  public var promptSize: Int?
  /// Nil for no classes.
  public var classEmbedding: ClassEmbedding?
  /// Whether the class embedding stands beside the time embedding instead of being added.
  public var concatenatesClassEmbedding = false
  /// How the time embedding acts on a residual block.
  public var timeInfluence = TimeInfluence.added
  /// The time embedding's width; four times the first block's channels if nil.
  public var timeEmbeddingSize: Int?
  /// Applied once to the time embedding.
  public var timeEmbeddingActivation: Activation?
  /// Applied at the end of the time embedding's layers.
  public var timeEmbeddingFinalActivation: Activation?
  /// The width of the embedding of the guidance scale, which distilled networks take in place of
  /// guidance (Meng et al., arXiv:2210.03142); nil for others. `time_cond_proj_dim` in the file.
  public var guidanceEmbeddingSize: Int?
  /// The first convolution's kernel.
  public var inputKernelSize = 3
  /// The last convolution's kernel.
  public var outputKernelSize = 3

  /// Stable Diffusion 1's U-Net.
  public init() {}

  /// The width of what residual blocks see of the time.
  var timeSize: Int { timeEmbeddingSize ?? 4 * blockChannels[0] }
  var blockTimeSize: Int { concatenatesClassEmbedding ? 2 * timeSize : timeSize }
}
