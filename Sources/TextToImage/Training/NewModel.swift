import Configuration
import Diffusion
import NeuralNetworks
import Tensors

/// A text-to-image model on pixels that is trained from nothing: what its parts are made of.
///
/// The defaults are a small one for images of 32 x 32 pixels.
public struct NewModelConfiguration: Settings {
  /// The text encoder, in the architecture of CLIP's.
  public struct Text: Settings {
    /// The maximum number of tokens of the vocabulary that is learned from the captions; at least
    /// 514.
    @Setting(514...65_536) public var vocabularySize = 1_200
    /// L, the maximum number of tokens of a prompt, markers included.
    @Setting(3...1_024) public var tokenCount = 40
    /// D, the width.
    @Setting(1...4_096) public var width = 128
    /// Transformer layers.
    @Setting(0...64) public var layerCount = 4
    /// Attention heads.
    @Setting(.positive) public var headCount = 4

    /// The small one.
    public init() {}

    /// Heads share the width evenly.
    public func checkRelations() throws {
      try ConfigurationError.require(
        width.isMultiple(of: headCount), "headCount", headCount,
        "a divisor of width, which is \(width)")
    }
  }

  /// The U-Net; lists begin with the finest block.
  public struct Network: NewNetworkSettings {
    /// Squares of so many pixels a side become the channels of one position.
    @Setting(1...16) public var pixelBlock = 2
    /// Channels of each block.
    public var channels = [64, 128]
    /// Residual blocks of each block on the way down; one more on the way up.
    @Setting(1...16) public var layerCount = 1
    /// Whether each block's residual blocks are followed by transformers that read the prompt;
    /// those at the bottom always are.
    public var readsPrompt = [false, true]
    /// Attention heads.
    @Setting(.positive) public var headCount = 4
    /// Groups of each norm.
    @Setting(.positive) public var normGroupCount = 32

    /// The small one.
    public init() {}

    /// Channels fall into groups and heads, and each block reads the prompt or not.
    public func checkRelations() throws { try checkBlocks("headCount", headCount) }
  }

  /// The noise.
  public struct Noise: Settings {
    /// How betas grow.
    public enum Schedule: String, Codable, Sendable, CaseIterable {
      /// Nichol and Dhariwal's.
      case squaredCosine
      /// Ho et al.'s.
      case linear
      /// Stable Diffusion's.
      case scaledLinear
    }

    /// How betas grow.
    public var schedule = Schedule.squaredCosine
    /// T.
    @Setting(2...100_000) public var timeStepCount = 1_000
    /// What the network predicts.
    public var predictionType = PredictionType.velocity
    /// Whether the last time step is pure noise (Lin et al., arXiv:2305.08891).
    public var hasZeroTerminalSNR = false

    /// A cosine, and velocities.
    public init() {}
  }

  /// The text encoder.
  public var text = Text()
  /// The U-Net.
  public var unet = Network()
  /// The noise.
  public var noise = Noise()

  /// The small one.
  public init() {}
}

extension NewModelConfiguration {
  /// The number that must divide the sides of images.
  public var sideFactor: Int { unet.sideFactor }

  /// A model with random weights.
  ///
  /// - Parameters:
  ///   - vocabulary: such as one that is trained on the captions.
  ///   - width: of the images.
  ///   - height: of the images.
  ///   - seed: decides the weights.
  /// - Throws: `ConfigurationError` for settings that do not fit.
  public func makeModel(
    vocabulary: BytePairVocabulary, width: Int, height: Int, seed: UInt64
  ) throws -> TextToImageModel {
    try validate()
    return try TextToImageModel(
      new: networkConfiguration(width: width, height: height), text: text, noise: noise,
      vocabulary: vocabulary, seed: seed)
  }

  private func networkConfiguration(width: Int, height: Int) throws -> UNetConfiguration {
    let count = unet.channels.count
    var configuration = UNetConfiguration()
    configuration.sampleSize = try unet.sampleSize(width: width, height: height)
    configuration.inputChannels = unet.sampleChannels
    configuration.outputChannels = unet.sampleChannels
    configuration.downBlocks = unet.readsPrompt.map { $0 ? .crossAttention : .plain }
    configuration.upBlocks = unet.readsPrompt.reversed().map { $0 ? .crossAttention : .plain }
    configuration.midBlock = .crossAttention
    configuration.onlyCrossAttention = Array(repeating: false, count: count)
    configuration.blockChannels = unet.channels
    configuration.layerCounts = Array(repeating: unet.layerCount, count: count)
    configuration.normGroupCount = unet.normGroupCount
    configuration.crossAttentionSizes = Array(repeating: text.width, count: count)
    configuration.transformerLayerCounts = Array(repeating: 1, count: count)
    configuration.headCounts = Array(repeating: unet.headCount, count: count)
    return configuration
  }
}

extension PromptedModel {
  /// A model on pixels with random weights.
  ///
  /// - Parameters:
  ///   - unet: what the network is made of.
  ///   - text: what the text encoder is made of.
  ///   - noise: the noise of training.
  ///   - vocabulary: such as one that is trained on the captions.
  ///   - seed: decides the weights.
  /// - Throws: `FileError` if the parts do not fit.
  package convenience init(
    new unet: Network.Configuration, text: NewModelConfiguration.Text,
    noise: NewModelConfiguration.Noise, vocabulary: BytePairVocabulary, seed: UInt64
  ) throws {
    let tokenizer = CLIPTokenizer(vocabulary: vocabulary, maximumLength: text.tokenCount)
    var random = RandomStream(seed: seed, purpose: "weights of the text encoder")
    let textEncoder = CLIPTextEncoder(text.configuration(tokenizer), random: &random)
    random = RandomStream(seed: seed, purpose: "weights of the U-Net")
    try self.init(
      tokenizer: tokenizer, textEncoder: textEncoder, unet: Network(unet, random: &random),
      autoencoder: nil, scheduler: try noise.scheduler())
  }
}

extension NewModelConfiguration.Text {
  fileprivate func configuration(_ tokenizer: CLIPTokenizer) -> CLIPTextConfiguration {
    var configuration = CLIPTextConfiguration()
    configuration.vocabularySize = (tokenizer.vocabulary.identifiers.values.max() ?? 0) + 1
    configuration.hiddenSize = width
    configuration.intermediateSize = 4 * width
    configuration.layerCount = layerCount
    configuration.headCount = headCount
    configuration.maximumLength = tokenCount
    configuration.startToken = tokenizer.startToken
    configuration.endToken = tokenizer.endToken
    return configuration
  }
}

extension NewModelConfiguration.Noise {
  fileprivate func scheduler() throws -> SchedulerConfiguration {
    let betas: SchedulerConfiguration.Betas =
      switch schedule {
      case .squaredCosine: .squaredCosine
      case .linear: .linear(first: 0.0001, last: 0.02)
      case .scaledLinear: .scaledLinear(first: 0.00085, last: 0.012)
      }
    // Clamping, diffusers' habit for pixels, clamps the estimate of the sample and not the noise
    // that goes with it: with guidance above 1 what is left over stays in the image.
    return try SchedulerConfiguration(
      betas: betas, predictionType: predictionType, timeStepCount: timeStepCount,
      clampsEstimates: false, hasZeroTerminalSNR: hasZeroTerminalSNR)
  }
}
