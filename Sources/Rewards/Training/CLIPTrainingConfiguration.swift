import CaptionedImages
import NeuralNetworks
import TextToImage

/// The sizes of a small CLIP model and how it is trained.
public struct CLIPTrainingConfiguration: Codable, Hashable, Sendable {
  /// The width of both towers.
  public var width = 128
  /// Layers of the image tower.
  public var imageLayerCount = 4
  /// Layers of the text tower.
  public var textLayerCount = 3
  /// Attention heads of both towers.
  public var headCount = 4
  /// Pixels in a row, and rows, of a patch.
  public var patchSize = 4
  /// The most tokens of a text.
  public var maximumLength = 64
  /// The most tokens of the vocabulary, learned from captions; at least 514.
  public var vocabularySize = 1_024
  /// The width of the common space.
  public var projectionSize = 128
  /// The greatest standard deviation of noise on pictures, where black is -1 and white is 1.
  public var noise = 0.2
  /// The dolls of a batch that are alike, so that every item counts; a size of 1 has each drawn for
  /// itself.
  public var alike = DollGroups()
  /// The weight of telling each item of a picture from others in its place, beside telling captions
  /// apart; 0 for captions alone.
  public var itemWeight = 1.0
  /// How weights are changed.
  public var optimization = OptimizationSettings()

  /// The defaults.
  public init() {}

  /// - Throws: `SettingError` naming a setting that is out of its range.
  public func validate() throws {
    typealias Check = SettingError
    try Check.require((1...8_192).contains(width), "width", width, "1 to 8192")
    try Check.require(
      headCount > 0 && width % max(1, headCount) == 0, "headCount", headCount,
      "a divisor of width, which is \(width)")
    for (key, count) in [
      ("imageLayerCount", imageLayerCount), ("textLayerCount", textLayerCount),
    ] {
      try Check.require((1...100).contains(count), key, count, "1 to 100")
    }
    try Check.require((1...1_024).contains(patchSize), "patchSize", patchSize, "1 to 1024")
    try Check.require(
      (3...4_096).contains(maximumLength), "maximumLength", maximumLength, "3 to 4096")
    try Check.require(
      (514...1_000_000).contains(vocabularySize), "vocabularySize", vocabularySize,
      "514 to 1000000")
    try Check.require(
      (1...8_192).contains(projectionSize), "projectionSize", projectionSize, "1 to 8192")
    try Check.require((0...1).contains(noise), "noise", noise, "0 to 1")
    try Check.require(
      itemWeight >= 0 && itemWeight.isFinite, "itemWeight", itemWeight, "a number from 0")
    try Check.within("optimization") { try optimization.validate() }
    try Check.require(
      alike.size > 0 && optimization.batchSize.isMultiple(of: max(1, alike.size)), "alike.size",
      alike.size, "a divisor of optimization.batchSize, which is \(optimization.batchSize)")
    try Check.require(
      (0...1).contains(alike.changeProbability), "alike.changeProbability",
      alike.changeProbability, "0 to 1")
  }

  /// The model for pictures of a size and a tokenizer.
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
