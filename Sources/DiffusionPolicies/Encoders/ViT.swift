import Configuration
import NeuralNetworks
import Tensors

/// The choices that make a `ViTEncoder`; the names in parentheses are the DPPO reference's.
public struct ViTConfiguration: Settings {
  /// How an image is cut into patches (`embed_style`).
  public enum PatchEmbedding: String, Codable, Sendable, CaseIterable {
    /// One convolution of 8 x 8 pixels, side by side.
    case embed1
    /// A convolution of 8 x 8 pixels, four apart, then one of 3 x 3 places, two apart: patches that
    /// overlap.
    case embed2
  }

  /// How an image is cut into patches (`embed_style`).
  public var patchEmbedding = PatchEmbedding.embed2
  /// The numbers of a patch (`embed_dim`).
  @Setting(1...4096) public var width = 128
  /// Transformer layers (`depth`).
  @Setting(1...64) public var depth = 1
  /// Heads of their attention, which divide `width` (`num_heads`).
  @Setting(1...256) public var headCount = 4
  /// Whether patches are normalized between the two convolutions of `embed2` (`embed_norm`).
  public var usesPatchNorm = false
  /// The features that a camera's patches are compressed to (`spatial_emb`).
  @Setting(2...4096) public var featureCount = 128
  /// The latest images that a decision sees, side by side as channels (`img_cond_steps`).
  @Setting(1...1000) public var imageSteps = 1

  /// DPPO's for robomimic: 121 patches of 128 from 96 x 96 pixels, one layer.
  public init() {}

  /// Heads have a width, and there is something to normalize between.
  public func checkRelations() throws {
    try ConfigurationError.require(
      width % headCount == 0, "headCount", headCount, "a divisor of width, which is \(width)")
    try ConfigurationError.require(
      !usesPatchNorm || patchEmbedding == .embed2, "usesPatchNorm", "true",
      "false, or patchEmbedding embed2")
  }
}

/// The vision transformer of the DPPO reference (from IBRL, arXiv:2311.02198): patches with learned
/// positions, pre-norm layers, a last norm; weights are named as there.
final class ViT: Module {
  /// `P`, of an image.
  let patchCount: Int
  private let patchEmbedding: PatchEmbedding
  private let positions: Parameter
  private let layers: [TransformerLayer]
  private let norm: LayerNorm

  /// The standard deviation of first weights.
  fileprivate static let initialStd: Float = 0.02

  /// - Parameters:
  ///   - configuration: sizes.
  ///   - imageShape: `[H, W, C]`
  ///   - random: draws the first weights.
  /// - Throws: `ConfigurationError` if the images are smaller than a patch.
  init(
    _ configuration: ViTConfiguration, imageShape: [Int], random: inout some RandomSource
  ) throws {
    let width = configuration.width
    patchEmbedding = try PatchEmbedding(configuration, imageShape: imageShape, random: &random)
    patchCount = patchEmbedding.patchCount
    var layers: [TransformerLayer] = []
    for _ in 0..<configuration.depth {
      layers.append(
        TransformerLayer(width: width, headCount: configuration.headCount, random: &random))
    }
    self.layers = layers
    norm = LayerNorm(size: width)
    positions = Parameter(
      Initializers.normal(
        [1, patchCount, width], standardDeviation: Self.initialStd, random: &random))
  }

  /// Images `[B, H, W, C]` of numbers around 0 to patches `[B, P, D]`.
  func callAsFunction(_ images: Tensor) -> Tensor {
    norm(layers.reduce(patchEmbedding(images) + positions.tensor) { $1($0) })
  }

  /// `patch_embed.*`, `pos_embed`, `net.<i>.*` and `norm.*`
  func collect(into parameters: inout NamedParameters) {
    parameters.add("patch_embed", patchEmbedding)
    parameters.add("pos_embed", positions)
    parameters.add("net", layers)
    parameters.add("norm", norm)
  }
}

/// Cuts images into patches by convolutions.
private final class PatchEmbedding: Module {
  let patchCount: Int
  private let first: Conv2d
  private let norm: GroupNorm?
  private let second: Conv2d?

  private static let (kernel, stride) = (8, 4)
  private static let (secondKernel, secondStride) = (3, 2)

  init(
    _ configuration: ViTConfiguration, imageShape: [Int], random: inout some RandomSource
  ) throws {
    let isOverlapping = configuration.patchEmbedding == .embed2
    let (width, channels) = (configuration.width, imageShape[2])
    let stride = isOverlapping ? Self.stride : Self.kernel
    let sides = imageShape.prefix(2).map { size in
      let places = (size - Self.kernel + stride) / stride
      return isOverlapping
        ? (places - Self.secondKernel + Self.secondStride) / Self.secondStride : places
    }
    let minimum =
      Self.kernel + (isOverlapping ? (Self.secondKernel - 1) * Self.stride : 0)
    guard imageShape.prefix(2).allSatisfy({ $0 >= minimum }) else {
      throw ConfigurationError.badValue(
        key: "vit", found: "images of \(imageShape[1])x\(imageShape[0]) pixels",
        expected: "at least \(minimum)x\(minimum), which make one patch")
    }
    patchCount = sides[0] * sides[1]
    first = Conv2d(
      inputChannels: channels, outputChannels: width, kernelSize: Self.kernel, stride: stride,
      random: &random)
    norm =
      configuration.usesPatchNorm ? GroupNorm(groupCount: width, channelCount: width) : nil
    second =
      isOverlapping
      ? Conv2d(
        inputChannels: width, outputChannels: width, kernelSize: Self.secondKernel,
        stride: Self.secondStride, random: &random) : nil
  }

  /// `[B, H, W, C]` to `[B, P, D]`, row by row.
  func callAsFunction(_ images: Tensor) -> Tensor {
    var patches = first(images)
    if let second {
      patches = second((norm.map { $0(patches) } ?? patches).relu())
    }
    return patches.reshaped(to: [images.shape[0], patchCount, patches.size(-1)])
  }

  /// `embed.0`, `embed.1` and `embed.3`, or `conv`: the reference's list also numbers the
  /// activation.
  func collect(into parameters: inout NamedParameters) {
    parameters.add(second == nil ? "conv" : "embed.0", first)
    parameters.add("embed.1", norm)
    parameters.add("embed.3", second)
  }
}

/// x + attention(norm(x)), then x + MLP(norm(x)).
private final class TransformerLayer: Module {
  private let attentionNorm: LayerNorm
  private let attention: SelfAttention
  private let norm: LayerNorm
  private let expansion: Linear
  private let contraction: Linear

  init(width: Int, headCount: Int, random: inout some RandomSource) {
    attentionNorm = LayerNorm(size: width)
    attention = SelfAttention(width: width, headCount: headCount, random: &random)
    norm = LayerNorm(size: width)
    expansion = .small(inputSize: width, outputSize: 4 * width, random: &random)
    contraction = .small(inputSize: 4 * width, outputSize: width, random: &random)
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let x = x + attention(attentionNorm(x))
    return contraction(expansion(norm(x), activation: .gelu), adding: x)
  }

  func collect(into parameters: inout NamedParameters) {
    parameters.add("layer_norm1", attentionNorm)
    parameters.add("mha", attention)
    parameters.add("layer_norm2", norm)
    parameters.add("linear1", expansion)
    parameters.add("linear2", contraction)
  }
}

/// Attention whose queries, keys and values come from one projection.
private final class SelfAttention: Module {
  private let projection: Linear
  private let output: Linear
  private let width: Int
  private let headCount: Int

  init(width: Int, headCount: Int, random: inout some RandomSource) {
    projection = .small(inputSize: width, outputSize: 3 * width, random: &random)
    output = .small(inputSize: width, outputSize: width, random: &random)
    self.width = width
    self.headCount = headCount
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let joined = projection(x)  // [B, P, 3 D]
    let parts = (0..<3).map { joined.slice($0 * width..<($0 + 1) * width, along: 2) }
    return output(parts[0].attention(keys: parts[1], values: parts[2], headCount: headCount))
  }

  func collect(into parameters: inout NamedParameters) {
    parameters.add("qkv_proj", projection)
    parameters.add("out_proj", output)
  }
}

extension Linear {
  /// A layer whose first weights are small and whose bias is zero, as timm starts transformers.
  fileprivate static func small(
    inputSize: Int, outputSize: Int, random: inout some RandomSource
  ) -> Linear {
    let layer = Linear(inputSize: inputSize, outputSize: outputSize, random: &random)
    layer.weight.value = Initializers.normal(
      [outputSize, inputSize], standardDeviation: ViT.initialStd, random: &random)
    layer.bias?.value = .zeros([outputSize])
    return layer
  }
}
