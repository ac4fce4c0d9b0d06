import Diffusion
import NeuralNetworks
import Tensors
import TextToImage

/// A U-Net of clips: that of images for each frame, and what its layers have over frames.
///
/// Inside, frames are folded into the batch: `[B, F, h, w, C]` is `[B F, h, w, C]`, as it lies in
/// memory.
final class ClipUNet: Module {
  struct Style {
    var inputChannels: Int
    var outputChannels: Int
    /// Of the time embedding and the residual blocks.
    var activation: Activation
    var timeSize: Int
    var normGroupCount: Int
    /// Of the norm before the last convolution.
    var normEpsilon: Float
    /// Over frames, in front of all blocks; nil for none.
    var inputTransformer: TemporalTransformer.Style?
    var blocks: ClipBlockPlan
  }

  private let style: Style
  private let timeSinusoids: SinusoidalEmbedding
  private let timeEmbedding: VectorEmbedding
  private let inputConvolution: Conv2d
  private let inputTransformer: TemporalTransformer?
  private let downBlocks: [ClipDownBlock]
  private let midBlock: ClipMidBlock
  private let upBlocks: [ClipUpBlock]
  private let outputNorm: GroupNorm
  private let outputConvolution: Conv2d
  private let promptAttentions: [Attention]

  init(_ style: Style, random: inout some RandomSource) {
    self.style = style
    let channels = style.blocks.channels[0]
    timeSinusoids = SinusoidalEmbedding(size: channels, frequencyShift: 0, isCosineFirst: true)
    timeEmbedding = VectorEmbedding(
      inputSize: channels, size: style.timeSize, activation: style.activation, random: &random)
    inputConvolution = Conv2d(
      inputChannels: style.inputChannels, outputChannels: channels, kernelSize: 3, padding: 1,
      random: &random)
    inputTransformer = style.inputTransformer.map {
      TemporalTransformer(channels: channels, style: $0, random: &random)
    }
    downBlocks = style.blocks.downBlocks(&random)
    midBlock = style.blocks.midBlock(&random)
    upBlocks = style.blocks.upBlocks(&random)
    outputNorm = GroupNorm(
      groupCount: style.normGroupCount, channelCount: channels, epsilon: style.normEpsilon)
    outputConvolution = Conv2d(
      inputChannels: channels, outputChannels: style.outputChannels, kernelSize: 3, padding: 1,
      random: &random)
    promptAttentions =
      downBlocks.flatMap(\.promptAttentions) + midBlock.promptAttentions
      + upBlocks.flatMap(\.promptAttentions)
  }

  /// Keys and values of encoded prompts `[B, L, D]`, which the frames of a clip share.
  func context(_ prompts: Tensor) -> PromptContext {
    PromptContext(prompts: prompts, attentions: promptAttentions)
  }

  /// The prediction `[B, F, h, w, outputChannels]` for a batch of clips
  /// `[B, F, h, w, inputChannels]`.
  func prediction(
    _ sample: Tensor, timeSteps: Broadcast<Float>, context: PromptContext
  ) -> Tensor {
    precondition(
      sample.rank == 5 && sample.shape[4] == style.inputChannels
        && sample.shape[0] == context.count,
      """
      a U-Net for clips of \(style.inputChannels) channels got a sample \(sample.shape) and \
      \(context.count) prompts
      """)
    let (clipCount, frameCount) = (sample.shape[0], sample.shape[1])
    // 1. The time, once for the batch where it is shared.
    let clips = ClipContext(
      frameCount: frameCount,
      time: embeddedTime(timeSteps, clipCount: clipCount, frameCount: frameCount), prompt: context)
    // 2. In, frame by frame, and the first look at a clip as a whole.
    let frames = sample.reshaped(to: [-1] + sample.shape.suffix(3))  // [B F, h, w, C]
    var x = inputConvolution(frames)
    if let inputTransformer { x = inputTransformer(x, frameCount: frameCount) }
    // 3. Down.
    var skipped = [x]
    for block in downBlocks { x = block(x, skipped: &skipped, clips) }
    // 4. The middle.
    x = midBlock(x, clips)
    // 5. Up.
    for block in upBlocks { x = block(x, skipped: &skipped, clips) }
    // 6. Out, frame by frame; SiLU whatever the activation is elsewhere.
    let prediction = outputConvolution(outputNorm(x, appliesSiLU: true))
    return prediction.reshaped(to: sample.shape.dropLast() + [style.outputChannels])
  }

  /// What residual blocks see of the time: `[1, T]` if all clips share it, else `[B F, T]`;
  /// activated.
  private func embeddedTime(
    _ timeSteps: Broadcast<Float>, clipCount: Int, frameCount: Int
  ) -> Tensor {
    func embedded(_ times: [Float]) -> Tensor {
      // Every residual block begins with the activation.
      timeEmbedding(timeSinusoids(times)).applying(style.activation)
    }
    switch timeSteps {
    case .shared(let time): return embedded([time])
    case .perRow:
      let ofClips = embedded(timeSteps.values(count: clipCount))  // [B, T]
      return ofClips.gather((0..<clipCount * frameCount).map { $0 / frameCount })
    }
  }

  /// diffusers' names.
  func collect(into parameters: inout NamedParameters) {
    parameters.add("conv_in", inputConvolution)
    parameters.add("time_embedding", timeEmbedding)
    parameters.add("transformer_in", inputTransformer)
    parameters.add("down_blocks", downBlocks)
    parameters.add("up_blocks", upBlocks)
    parameters.add("mid_block", midBlock)
    parameters.add("conv_norm_out", outputNorm)
    parameters.add("conv_out", outputConvolution)
  }
}
