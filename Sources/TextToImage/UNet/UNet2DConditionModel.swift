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
      finalActivation: configuration.timeEmbeddingFinalActivation, random: &random)
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
    let prompts = promptProjection.map { $0(prompts) } ?? prompts
    let entries = promptAttentions.map {
      (ObjectIdentifier($0), $0.keysAndValues(prompts))
    }
    return PromptContext(
      count: prompts.shape[0], entries: Dictionary(uniqueKeysWithValues: entries))
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
    let time = embeddedTime(timeSteps, count: sample.shape[0], classes: classes)
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
    _ timeSteps: Broadcast<Float>, count: Int, classes: ClassCondition?
  ) -> Tensor {
    precondition(
      (classes == nil) == (classEmbedder == nil),
      classes == nil ? "the network needs classes" : "the network has no class embedding")
    let times: [Float] =
      switch timeSteps {
      case .shared(let time) where classes == nil: [time]
      default: timeSteps.values(count: count)
      }
    var embedded = timeEmbedding(timeSinusoids(times))
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

/// What a U-Net's transformers need of a batch of prompts: keys and values, computed once for an
/// image and used at every denoising step.
public struct PromptContext: Sendable {
  struct KeysAndValues: Sendable {
    /// `[B, L, D]`
    var keys: Tensor
    /// `[B, L, D]`
    var values: Tensor
  }

  private var entries: [ObjectIdentifier: KeysAndValues]
  /// B, the number of prompts.
  public let count: Int

  init(count: Int, entries: [ObjectIdentifier: KeysAndValues]) {
    self.count = count
    self.entries = entries
  }

  func callAsFunction(_ attention: Attention) -> KeysAndValues {
    guard let entry = entries[ObjectIdentifier(attention)] else {
      preconditionFailure("a prompt's keys and values belong to another network")
    }
    return entry
  }

  /// The prompts of one context and those of another after them, for the same network.
  static func joined(_ first: PromptContext, _ second: PromptContext) -> PromptContext {
    PromptContext(
      count: first.count + second.count,
      entries: first.entries.merging(second.entries) { a, b in
        KeysAndValues(
          keys: .concatenated([a.keys, b.keys], along: 0),
          values: .concatenated([a.values, b.values], along: 0))
      })
  }

  /// The prompts of neighbouring rows, without copying.
  func slice(_ range: Range<Int>) -> PromptContext {
    PromptContext(
      count: range.count,
      entries: entries.mapValues {
        KeysAndValues(keys: $0.keys.slice(range), values: $0.values.slice(range))
      })
  }

  /// The prompts of the given rows, in this order; repeats are allowed.
  public func rows(_ indices: [Int]) -> PromptContext {
    if indices == Array(0..<count) { return self }
    return PromptContext(
      count: indices.count,
      entries: entries.mapValues {
        KeysAndValues(keys: $0.keys.gather(indices), values: $0.values.gather(indices))
      })
  }
}

extension UNet2DConditionModel {
  /// The prediction for a batch, in shards that one worker each takes from start to end; not
  /// recorded.
  ///
  /// Where there are too few rows for the workers, the operations themselves are split.
  func sharded(
    _ sample: Tensor, timeSteps: Broadcast<Float>, context: PromptContext
  ) -> Tensor {
    let count = sample.shape[0]
    let workers = WorkerPool.shared.threadCount
    guard workers > 1, count % workers == 0 || count >= 4 * workers else {
      return self(sample, timeSteps: timeSteps, context: context)
    }
    // About a megabyte for each of the finest block's activations.
    let rowSize = sample.shape[1] * sample.shape[2] * configuration.blockChannels[0]
    let fairShare = (count + workers - 1) / workers
    let shardSize = min(fairShare, max(1, (1 << 18) / rowSize))
    return shardedMap(count: count, shardSize: shardSize) { rows in
      let times: Broadcast<Float> =
        switch timeSteps {
        case .shared: timeSteps
        case .perRow(let values): .perRow(Array(values[rows]))
        }
      return self(sample.slice(rows), timeSteps: times, context: context.slice(rows))
    }
  }
}

extension UNet2DConditionModel {
  /// A frozen network with the present weights, which share memory until one of the two changes.
  public func frozenCopy() -> UNet2DConditionModel {
    var unset = UnsetWeights()
    let copy = UNet2DConditionModel(configuration, random: &unset)
    for (mine, other) in zip(parameters, copy.parameters) {
      other.parameter.value = mine.parameter.value
      other.parameter.isTrainable = false
    }
    return copy
  }
}
