import Diffusion
import NeuralNetworks
import Tensors

/// The denoising network of Stable Diffusion (Rombach et al., arXiv:2112.10752; Ronneberger et al.,
/// arXiv:1505.04597), with the weight names of diffusers.
public final class UNet2DConditionModel: Module {
  /// What the network is made of.
  public let configuration: UNetConfiguration
  private let timeSinusoids: SinusoidalEmbedding
  private let inputConvolution: Conv2d
  private let timeEmbedding: VectorEmbedding
  private let guidanceSinusoids: SinusoidalEmbedding?
  private let promptProjection: Linear?
  private let classEmbedder: ClassEmbedder?
  private let downBlocks: [DownBlock]
  private let midBlock: MidBlock?
  private let upBlocks: [UpBlock]
  private let outputNorm: GroupNorm
  private let outputConvolution: Conv2d
  private let promptAttentions: [Attention]

  /// A network with PyTorch's default initialization.
  public init(_ configuration: UNetConfiguration, random: inout some RandomSource) {
    self.configuration = configuration
    let channels = configuration.blockChannels
    timeSinusoids = SinusoidalEmbedding(
      size: channels[0], frequencyShift: Double(configuration.frequencyShift),
      isCosineFirst: configuration.isCosineFirst)
    inputConvolution = Conv2d(
      inputChannels: configuration.inputChannels, outputChannels: channels[0],
      kernelSize: configuration.inputKernelSize, padding: (configuration.inputKernelSize - 1) / 2,
      random: &random)
    timeEmbedding = VectorEmbedding(
      inputSize: channels[0], size: configuration.timeSize, activation: configuration.activation,
      finalActivation: configuration.timeEmbeddingFinalActivation,
      conditionSize: configuration.guidanceEmbeddingSize, random: &random)
    guidanceSinusoids = configuration.guidanceEmbeddingSize.map { SinusoidalEmbedding(size: $0) }
    promptProjection = configuration.promptSize.map {
      Linear(
        inputSize: $0, outputSize: configuration.crossAttentionSizes[0], random: &random)
    }
    classEmbedder = configuration.classEmbedding.map {
      ClassEmbedder($0, configuration: configuration, random: &random)
    }
    let plan = UNetPlan(configuration)
    downBlocks = plan.downBlocks(&random)
    midBlock = plan.midBlock(&random)
    upBlocks = plan.upBlocks(&random)
    outputNorm = GroupNorm(
      groupCount: configuration.normGroupCount, channelCount: channels[0],
      epsilon: configuration.normEpsilon)
    outputConvolution = Conv2d(
      inputChannels: channels[0], outputChannels: configuration.outputChannels,
      kernelSize: configuration.outputKernelSize,
      padding: (configuration.outputKernelSize - 1) / 2, random: &random)
    promptAttentions =
      downBlocks.flatMap(\.promptAttentions) + (midBlock?.promptAttentions ?? [])
      + upBlocks.flatMap(\.promptAttentions)
  }

  /// Keys and values of encoded prompts `[B, L, D]`, for any number of calls.
  public func context(_ prompts: Tensor) -> PromptContext {
    PromptContext(
      prompts: promptProjection.map { $0(prompts) } ?? prompts, attentions: promptAttentions)
  }

  /// The prediction for a batch.
  ///
  /// - Parameters:
  ///   - sample: `[B, H, W, C]`
  ///   - timeSteps: shared by the batch or one for each row.
  ///   - context: the prompts, one for each row.
  ///   - classes: for networks with a class embedding.
  /// - Returns: `[B, H, W, outputChannels]`
  public func callAsFunction(
    _ sample: Tensor, timeSteps: Broadcast<Float>, context: PromptContext,
    classes: ClassCondition? = nil
  ) -> Tensor {
    precondition(
      sample.rank == 4 && sample.shape[3] == configuration.inputChannels
        && sample.shape[0] == context.count,
      """
      a U-Net for \(configuration.inputChannels) channels got a sample \(sample.shape) and \
      \(context.count) prompts
      """)
    // 1. The time, once for the batch where it is shared.
    let time = embeddedTime(
      timeSteps, count: sample.shape[0], classes: classes, guidanceScale: context.guidanceScale)
    // 2. Down.
    var x = inputConvolution(configuration.centersInput ? sample * 2 - 1 : sample)
    var skipped = [x]
    for block in downBlocks {
      let (result, parts) = block(x, time: time, prompt: context)
      x = result
      skipped += parts
    }
    // 3. The middle.
    if let midBlock { x = midBlock(x, time: time, prompt: context) }
    // 4. Up.
    for block in upBlocks { x = block(x, skipped: &skipped, time: time, prompt: context) }
    // 5. Out.
    let normed =
      configuration.activation == .silu
      ? outputNorm(x, appliesSiLU: true) : outputNorm(x).applying(configuration.activation)
    return outputConvolution(normed)
  }

  /// What residual blocks see of the time: `[1, T]` if the batch shares it, else `[B, T]`;
  /// activated.
  private func embeddedTime(
    _ timeSteps: Broadcast<Float>, count: Int, classes: ClassCondition?, guidanceScale: Float?
  ) -> Tensor {
    precondition(
      (classes == nil) == (classEmbedder == nil),
      classes == nil ? "the network needs classes" : "the network has no class embedding")
    let times: [Float] =
      switch timeSteps {
      case .shared(let time) where classes == nil: [time]
      default: timeSteps.values(count: count)
      }
    var embedded = timeEmbedding(
      timeSinusoids(times), condition: guidanceScale.flatMap(embeddedGuidance))
    if let classes, let classEmbedder {
      let classes = classEmbedder(classes, embedding: timeSinusoids)
      embedded =
        configuration.concatenatesClassEmbedding
        ? .concatenated([embedded, classes], along: 1) : embedded + classes
    }
    if let activation = configuration.timeEmbeddingActivation {
      embedded = embedded.applying(activation)
    }
    // Every residual block begins with this.
    return embedded.applying(configuration.activation)
  }

  /// The sinusoids of a guidance scale as distilled networks know it, 1000 (scale - 1): `[1, E]`; nil
  /// for other networks.
  private func embeddedGuidance(_ scale: Float) -> Tensor? {
    guidanceSinusoids.map { $0([1_000 * (scale - 1)]) }
  }

  /// diffusers' names.
  public func collect(into parameters: inout NamedParameters) {
    parameters.add("conv_in", inputConvolution)
    parameters.add("time_embedding", timeEmbedding)
    parameters.add("encoder_hid_proj", promptProjection)
    parameters.add("class_embedding", classEmbedder)
    parameters.add("down_blocks", downBlocks)
    parameters.add("up_blocks", upBlocks)
    parameters.add("mid_block", midBlock)
    parameters.add("conv_norm_out", outputNorm)
    parameters.add("conv_out", outputConvolution)
  }
}
