import Diffusion
import Files
import NeuralNetworks
import Tensors
import TextToImage

/// The denoising network of ModelScope's text-to-video model (Wang et al., arXiv:2308.06571), with
/// the weight names of diffusers: Stable Diffusion's U-Net for each frame, convolutions over frames
/// after all of its residual blocks, and attention over frames after all of its transformers.
public final class UNet3DConditionModel: PromptedNetwork {
  /// ModelScope's pipeline.
  public static let pipelineClass = "TextToVideoSDPipeline"
  /// It makes clips.
  public static let modelNoun = "a text-to-video model"
  /// Clips.
  public static let hasFrames = true
  /// There are no other parts.
  public static let otherIndexMembers: [String: JSONValue] = [:]

  /// What the network is made of.
  public let configuration: UNet3DConfiguration
  private let network: ClipUNet

  /// A network with PyTorch's default initialization.
  public init(_ configuration: UNet3DConfiguration, random: inout some RandomSource) {
    self.configuration = configuration
    network = ClipUNet(configuration.style, random: &random)
  }

  /// Keys and values of encoded prompts `[B, L, D]`, which the frames of a clip share.
  public func context(_ prompts: Tensor) -> PromptContext { network.context(prompts) }

  /// The prediction for a batch of clips.
  ///
  /// - Parameters:
  ///   - sample: `[B, F, h, w, inputChannels]`.
  ///   - timeSteps: shared by the batch or one for each clip.
  ///   - context: the prompts, one for each clip.
  /// - Returns: `[B, F, h, w, outputChannels]`
  public func prediction(
    _ sample: Tensor, timeSteps: Broadcast<Float>, context: PromptContext
  ) -> Tensor { network.prediction(sample, timeSteps: timeSteps, context: context) }

  /// diffusers' names.
  public func collect(into parameters: inout NamedParameters) {
    network.collect(into: &parameters)
  }
}

extension UNet3DConfiguration {
  /// The network that the configuration asks for.
  fileprivate var style: ClipUNet.Style {
    ClipUNet.Style(
      inputChannels: inputChannels, outputChannels: outputChannels, activation: activation,
      timeSize: timeSize, normGroupCount: normGroupCount, normEpsilon: normEpsilon,
      // Eight heads, whatever the channels are.
      inputTransformer: TemporalTransformer.Style(
        headCount: 8, headSize: headSize, groupCount: normGroupCount),
      blocks: ClipBlockPlan(
        channels: blockChannels,
        layerCounts: [Int](repeating: layerCount, count: blockChannels.count),
        downsamplePadding: downsamplePadding,
        downStyles: downBlocks.enumerated().map { index, kind in
          style(index, readsPrompt: kind == .crossAttention)
        },
        midStyle: style(blockChannels.count - 1, readsPrompt: true, outputScale: midBlockScale),
        upStyles: upBlocks.reversed().enumerated().map { index, kind in
          style(index, readsPrompt: kind == .crossAttention)
        }))
  }

  private var timeSize: Int { 4 * blockChannels[0] }

  /// The layers of the index-th block from the finest.
  private func style(_ index: Int, readsPrompt: Bool, outputScale: Float = 1) -> ClipLayer.Style {
    let headCount = blockChannels[index] / headSize
    return ClipLayer.Style(
      residual: ResidualBlock.Style(
        groupCount: normGroupCount, epsilon: normEpsilon, activation: activation,
        timeSize: timeSize, outputScale: outputScale),
      hasConvolution: true,
      transformer: readsPrompt
        ? ImageTransformer.Style(
          headCount: headCount, headSize: headSize, layerCount: 1, promptSize: crossAttentionSize,
          usesLinearProjection: true, groupCount: normGroupCount) : nil,
      temporal: readsPrompt
        ? TemporalTransformer.Style(
          headCount: headCount, headSize: headSize, groupCount: normGroupCount) : nil,
      temporalName: "temp_attentions")
  }
}
