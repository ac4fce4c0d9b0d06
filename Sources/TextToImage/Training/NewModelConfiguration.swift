import Diffusion
import NeuralNetworks

/// A text-to-image model on pixels that is trained from nothing: what its parts are made of.
///
/// The defaults are a small one for pictures of 32 x 32 pixels.
public struct NewModelConfiguration: Codable, Sendable, Hashable {
  /// The text encoder, in the architecture of CLIP's.
  public struct Text: Codable, Sendable, Hashable {
    /// The most tokens of the vocabulary that is learned from the captions; at least 514.
    public var vocabularySize = 1_200
    /// L, the most tokens of a prompt, markers included.
    public var tokenCount = 40
    /// D, the width.
    public var width = 128
    /// Transformer layers.
    public var layerCount = 4
    /// Attention heads.
    public var headCount = 4
  }

  /// The U-Net; lists begin with the finest block.
  public struct Network: Codable, Sendable, Hashable {
    /// Squares of so many pixels a side become the channels of one position.
    public var pixelBlock = 2
    /// Channels of each block.
    public var channels = [64, 128]
    /// Residual blocks of each block on the way down; one more on the way up.
    public var layerCount = 1
    /// Whether each block's residual blocks are followed by transformers that read the prompt;
    /// those at the bottom always are.
    public var readsPrompt = [false, true]
    /// Attention heads.
    public var headCount = 4
    /// Groups of each norm.
    public var normGroupCount = 32
  }

  /// The noise.
  public struct Noise: Codable, Sendable, Hashable {
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
    public var timeStepCount = 1_000
    /// What the network predicts.
    public var predictionType = PredictionType.velocity
    /// Whether the last time step is pure noise (Lin et al., arXiv:2305.08891).
    public var hasZeroTerminalSNR = false
  }

  /// The text encoder.
  public var text = Text()
  /// The U-Net.
  public var unet = Network()
  /// The noise.
  public var noise = Noise()

  /// The small one.
  public init() {}

  /// Checks what can be checked without knowing the pictures.
  ///
  /// - Throws: `SettingError` naming the setting.
  public func validate() throws {
    try SettingError.within("text") {
      try SettingError.require(
        (514...65_536).contains(text.vocabularySize), "vocabularySize", text.vocabularySize,
        "514 to 65536")
      try SettingError.require(
        (3...1_024).contains(text.tokenCount), "tokenCount", text.tokenCount, "3 to 1024")
      try SettingError.require(
        (1...4_096).contains(text.width), "width", text.width, "1 to 4096")
      try SettingError.require(
        (0...64).contains(text.layerCount), "layerCount", text.layerCount, "0 to 64")
      try SettingError.require(
        text.headCount > 0 && text.width.isMultiple(of: max(1, text.headCount)), "headCount",
        text.headCount, "a divisor of width, which is \(text.width)")
    }
    try SettingError.within("unet") { try validateNetwork() }
    try SettingError.within("noise") {
      try SettingError.require(
        (2...100_000).contains(noise.timeStepCount), "timeStepCount", noise.timeStepCount,
        "2 to 100000")
    }
  }

  private func validateNetwork() throws {
    try SettingError.require(
      (1...16).contains(unet.pixelBlock), "pixelBlock", unet.pixelBlock, "1 to 16")
    try SettingError.require(
      (1...8).contains(unet.channels.count), "channels", unet.channels, "1 to 8 numbers")
    try SettingError.require(
      unet.normGroupCount > 0, "normGroupCount", unet.normGroupCount, "a number above 0")
    try SettingError.require(unet.headCount > 0, "headCount", unet.headCount, "a number above 0")
    for count in unet.channels {
      try SettingError.require(
        (1...4_096).contains(count) && count.isMultiple(of: unet.normGroupCount)
          && count.isMultiple(of: unet.headCount), "channels", unet.channels,
        "multiples of normGroupCount, which is \(unet.normGroupCount), and of headCount, "
          + "which is \(unet.headCount), up to 4096")
    }
    try SettingError.require(
      (1...16).contains(unet.layerCount), "layerCount", unet.layerCount, "1 to 16")
    try SettingError.require(
      unet.readsPrompt.count == unet.channels.count, "readsPrompt", unet.readsPrompt,
      "\(unet.channels.count) truth values, one for each of channels")
  }
}
