import CaptionedImages
import Configuration
import TextToImage

/// The sizes of a small CLIP model and how it is trained.
public struct CLIPTrainingConfiguration: Settings {
  /// The width of both towers.
  @Setting(1...8_192) public var width = 128
  /// Layers of the image tower.
  @Setting(1...100) public var imageLayerCount = 4
  /// Layers of the text tower.
  @Setting(1...100) public var textLayerCount = 3
  /// Attention heads of both towers.
  @Setting(.positive) public var headCount = 4
  /// Pixels in a row, and rows, of a patch.
  @Setting(1...1_024) public var patchSize = 4
  /// The maximum number of tokens of a text.
  @Setting(3...4_096) public var maximumLength = 64
  /// The maximum number of tokens of the vocabulary, learned from captions; at least 514.
  @Setting(514...1_000_000) public var vocabularySize = 1_024
  /// The width of the common space.
  @Setting(1...8_192) public var projectionSize = 128
  /// The maximum standard deviation of noise on images, where black is -1 and white is 1.
  @Setting(.fraction) public var noise = 0.2
  /// The dolls of a batch that are alike, so that every item counts; a size of 1 has each drawn for
  /// itself.
  public var alike = DollGroups()
  /// The weight of telling each item of an image from others in its place, beside telling captions
  /// apart; 0 for captions alone.
  @Setting(.notNegative) public var itemWeight = 1.0
  /// How weights are changed.
  public var optimization = OptimizationSettings()

  /// The defaults.
  public init() {}

  /// Heads share the width, and groups of dolls the batch, evenly.
  public func checkRelations() throws {
    try ConfigurationError.require(
      width.isMultiple(of: headCount), "headCount", headCount,
      "a divisor of width, which is \(width)")
    try ConfigurationError.require(
      optimization.batchSize.isMultiple(of: alike.size), "alike.size", alike.size,
      "a divisor of optimization.batchSize, which is \(optimization.batchSize)")
  }

  /// The model for images of a size and a tokenizer.
  func model(imageSize: Int, tokenizer: CLIPTokenizer) -> CLIPConfiguration {
    var text = CLIPTextConfiguration()
    text.vocabularySize = tokenizer.vocabulary.identifiers.count
    text.hiddenSize = width
    text.intermediateSize = 4 * width
    text.layerCount = textLayerCount
    text.headCount = headCount
    text.maximumLength = maximumLength
    text.startToken = tokenizer.startToken
    text.endToken = tokenizer.endToken
    var vision = CLIPVisionConfiguration()
    vision.hiddenSize = width
    vision.intermediateSize = 4 * width
    vision.layerCount = imageLayerCount
    vision.headCount = headCount
    vision.imageSize = imageSize
    vision.patchSize = patchSize
    return CLIPConfiguration(text: text, vision: vision, projectionSize: projectionSize)
  }
}
