import Configuration
import TextToImage

/// A text-to-video model on pixels that is trained from nothing: what its parts are made of.
///
/// The defaults are a small one for clips of 32 x 32 pixels.
public struct NewClipModelConfiguration: Settings {
  /// The U-Net, `UNet3DConditionModel`; lists begin with the finest block.
  public struct Network: NewNetworkSettings {
    /// Squares of so many pixels a side become the channels of one position.
    @Setting(1...16) public var pixelBlock = 2
    /// Channels of each block.
    public var channels = [64, 96, 128]
    /// Layers of each block on the way down; one more on the way up.
    @Setting(1...16) public var layerCount = 1
    /// Whether each block's layers have transformers that read the prompt and look over frames;
    /// those at the bottom always do.
    public var readsPrompt = [false, true, true]
    /// The width of an attention head; blocks have as many as fit into their channels.
    @Setting(.positive) public var headSize = 8
    /// Groups of each norm.
    @Setting(.positive) public var normGroupCount = 32

    /// The small one.
    public init() {}

    /// Channels fall into groups and heads, and each block reads the prompt or not.
    public func checkRelations() throws { try checkBlocks("headSize", headSize) }
  }

  /// The text encoder.
  public var text = NewModelConfiguration.Text()
  /// The U-Net.
  public var unet = Network()
  /// The noise.
  public var noise = NewModelConfiguration.Noise()

  /// The small one.
  public init() {}
}

extension NewClipModelConfiguration {
  /// The number that must divide the sides of frames.
  public var sideFactor: Int { unet.sideFactor }

  /// A model with random weights.
  ///
  /// - Parameters:
  ///   - vocabulary: such as one that is trained on the captions.
  ///   - width: of the frames.
  ///   - height: of the frames.
  ///   - seed: decides the weights.
  /// - Throws: `ConfigurationError` for settings that do not fit.
  public func makeModel(
    vocabulary: BytePairVocabulary, width: Int, height: Int, seed: UInt64
  ) throws -> TextToVideoModel {
    try validate()
    return try TextToVideoModel(
      new: networkConfiguration(width: width, height: height), text: text, noise: noise,
      vocabulary: vocabulary, seed: seed)
  }

  private func networkConfiguration(width: Int, height: Int) throws -> UNet3DConfiguration {
    var configuration = UNet3DConfiguration()
    configuration.sampleSize = try unet.sampleSize(width: width, height: height)
    configuration.inputChannels = unet.sampleChannels
    configuration.outputChannels = unet.sampleChannels
    configuration.downBlocks = unet.readsPrompt.map { $0 ? .crossAttention : .plain }
    configuration.upBlocks = unet.readsPrompt.reversed().map { $0 ? .crossAttention : .plain }
    configuration.blockChannels = unet.channels
    configuration.layerCount = unet.layerCount
    configuration.normGroupCount = unet.normGroupCount
    configuration.crossAttentionSize = text.width
    configuration.headSize = unet.headSize
    return configuration
  }
}
