import Configuration
import TextToImage

/// A text-to-video model on pixels that is trained from nothing: what its parts are made of.
///
/// The defaults are a small one for clips of 32 x 32 pixels.
public struct NewClipModelConfiguration: Settings {
  /// The U-Net, `UNet3DConditionModel`; lists begin with the finest block.
  public struct Network: Settings {
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
    public func checkRelations() throws {
      try ConfigurationError.require(
        (1...8).contains(channels.count), "channels", channels, "1 to 8 numbers")
      try ConfigurationError.require(
        channels.allSatisfy {
          (1...4_096).contains($0) && $0.isMultiple(of: normGroupCount)
            && $0.isMultiple(of: headSize)
        }, "channels", channels,
        "multiples of normGroupCount, which is \(normGroupCount), and of headSize, which is "
          + "\(headSize), up to 4096")
      try ConfigurationError.require(
        readsPrompt.count == channels.count, "readsPrompt", readsPrompt,
        "\(channels.count) truth values, one for each of channels")
    }
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
  public var sideFactor: Int { unet.pixelBlock << (unet.channels.count - 1) }

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
    try NewModelConfiguration.requireMultiples(of: sideFactor, width: width, height: height)
    return try TextToVideoModel(
      new: networkConfiguration(width: width, height: height), text: text, noise: noise,
      vocabulary: vocabulary, seed: seed)
  }

  private func networkConfiguration(width: Int, height: Int) -> UNet3DConfiguration {
    var configuration = UNet3DConfiguration()
    configuration.sampleSize = [height / unet.pixelBlock, width / unet.pixelBlock]
    configuration.inputChannels = 3 * unet.pixelBlock * unet.pixelBlock
    configuration.outputChannels = configuration.inputChannels
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
