import Diffusion
import Files
import NeuralNetworks
import Tensors
import TextToImage

/// Stable Diffusion's U-Net for each frame, with AnimateDiff's motion modules (Guo et al.,
/// arXiv:2307.04725) at the end of each of its layers, and the weight names of diffusers.
public final class UNetMotionModel: PromptedNetwork {
  /// AnimateDiff's pipeline.
  public static let pipelineClass = "AnimateDiffPipeline"
  /// It makes clips.
  public static let modelNoun = "a text-to-video model of AnimateDiff"
  /// Clips.
  public static let hasFrames = true
  /// Nothing that reads images.
  public static let otherIndexMembers: [String: JSONValue] = [
    "feature_extractor": [nil, nil], "image_encoder": [nil, nil],
    "motion_adapter": ["diffusers", "MotionAdapter"],
  ]

  /// What the network is made of.
  public let configuration: UNetMotionConfiguration
  private let network: ClipUNet

  /// A network with PyTorch's default initialization.
  public init(_ configuration: UNetMotionConfiguration, random: inout some RandomSource) {
    self.configuration = configuration
    network = ClipUNet(configuration.style, random: &random)
  }

  /// Keys and values of encoded prompts `[B, L, D]`, which the frames of a clip share.
  public func context(_ prompts: Tensor) -> PromptContext { network.context(prompts) }

  /// The prediction for a batch of clips.
  ///
  /// - Parameters:
  ///   - sample: `[B, F, h, w, inputChannels]` with at most `maxFrameCount` frames.
  ///   - timeSteps: shared by the batch or one for each clip.
  ///   - context: the prompts, one for each clip.
  /// - Returns: `[B, F, h, w, outputChannels]`
  public func prediction(
    _ sample: Tensor, timeSteps: Broadcast<Float>, context: PromptContext
  ) -> Tensor {
    precondition(
      sample.shape[1] <= configuration.maxFrameCount,
      "\(sample.shape[1]) frames for motion modules of \(configuration.maxFrameCount)")
    return network.prediction(sample, timeSteps: timeSteps, context: context)
  }

  /// diffusers' names.
  public func collect(into parameters: inout NamedParameters) {
    network.collect(into: &parameters)
  }
}

extension UNetMotionConfiguration {
  /// The network that the configuration asks for.
  fileprivate var style: ClipUNet.Style {
    let last = blockChannels.count - 1
    var middle = style(last, readsPrompt: true)
    middle.residual.outputScale = midBlockScale
    middle.transformer?.layerCount = midTransformerLayerCount ?? transformerLayerCounts[last]
    middle.temporal?.layerCount = midMotionLayerCount
    if !hasMidMotion { middle.temporal = nil }
    return ClipUNet.Style(
      inputChannels: inputChannels, outputChannels: outputChannels, activation: activation,
      timeSize: 4 * blockChannels[0], normGroupCount: normGroupCount, normEpsilon: normEpsilon,
      blocks: ClipBlockPlan(
        channels: blockChannels, layerCounts: layerCounts, downsamplePadding: downsamplePadding,
        downStyles: downBlocks.enumerated().map { index, kind in
          style(index, readsPrompt: kind == .crossAttention)
        }, midStyle: middle,
        upStyles: upBlocks.reversed().enumerated().map { index, kind in
          style(index, readsPrompt: kind == .crossAttention)
        }))
  }

  /// The layers of the index-th block from the finest.
  private func style(_ index: Int, readsPrompt: Bool) -> ClipLayer.Style {
    let channels = blockChannels[index]
    return ClipLayer.Style(
      residual: ResidualBlock.Style(
        groupCount: normGroupCount, epsilon: normEpsilon, activation: activation,
        timeSize: 4 * blockChannels[0]),
      hasConvolution: false,
      transformer: readsPrompt
        ? ImageTransformer.Style(
          headCount: headCounts[index], headSize: channels / headCounts[index],
          layerCount: transformerLayerCounts[index], promptSize: crossAttentionSizes[index],
          usesLinearProjection: usesLinearProjection, groupCount: normGroupCount) : nil,
      temporal: TemporalTransformer.Style(
        headCount: motionHeadCounts[index], headSize: channels / motionHeadCounts[index],
        layerCount: motionLayerCounts[index], positionCount: maxFrameCount,
        groupCount: normGroupCount),
      temporalName: "motion_modules")
  }
}
