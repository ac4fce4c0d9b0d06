import CaptionedMedia
import Configuration
import Files
import Foundation
import NeuralNetworks
import Tensors
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
  /// itself. Without meaning for images of your own.
  public var alike = DollGroups()
  /// The weight of telling each item of a doll from others in its place, beside telling captions
  /// apart; 0 for captions alone, as with images of your own, whose items nobody lists.
  @Setting(.notNegative) public var itemWeight = 1.0
  /// How weights are changed.
  public var optimization = OptimizationSettings()

  /// The defaults.
  public init() {}

  /// Heads share the width evenly.
  public func checkRelations() throws {
    try ConfigurationError.require(
      width.isMultiple(of: headCount), "headCount", headCount,
      "a divisor of width, which is \(width)")
  }

  /// Checks that groups of dolls that are alike share the batch evenly.
  ///
  /// - Throws: `ConfigurationError` if they do not.
  public func requireWholeGroups() throws(ConfigurationError) {
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

/// Trains a small CLIP model on images and their captions: paper dolls, or any others.
///
/// Everything is a function of the images, the settings and the seed: a restored training goes
/// on with the same bits.
public final class CLIPTraining: RewardTraining {
  /// How it learns.
  public let configuration: CLIPTrainingConfiguration
  private var pairs: any ContrastivePairs
  private let seed: UInt64
  private let trained: ImageTextModel
  private let training: SupervisedTraining
  private let communicator: any Communicator
  /// The logarithm of 100, CLIP's limit.
  private static let maxLogitScale: Float = 4.6052

  /// A training on paper dolls from random weights.
  ///
  /// - Parameters:
  ///   - configuration: checked by `validate()`.
  ///   - composer: makes the dolls.
  ///   - pairs: which of them are shown.
  ///   - validationCount: images to measure on, a multiple of 16.
  ///   - seed: decides weights, dolls and noise.
  ///   - communicator: divides batches among processes.
  /// - Throws: `ConfigurationError` if the patches do not fit; `CaptionedDataError` if there are no
  ///   such pairs.
  public convenience init(
    _ configuration: CLIPTrainingConfiguration, composer: DollComposer,
    pairs: PairSelection = .training, validationCount: Int = 512, seed: UInt64,
    communicator: any Communicator = SingleProcess()
  ) throws {
    try configuration.requireWholeGroups()
    try self.init(
      configuration,
      pairs: DollPairing(
        composer, pairs: pairs, groups: configuration.alike, validationCount: validationCount,
        seed: seed), seed: seed, communicator: communicator)
  }

  /// A training on captioned images from random weights.
  ///
  /// - Parameters:
  ///   - configuration: checked by `validate()`.
  ///   - source: square images with their captions.
  ///   - validationFraction: the fraction of them that is never learned from.
  ///   - validationCount: the maximum number of images to measure on.
  ///   - seed: decides weights, order, noise and which images are kept for validation.
  ///   - communicator: divides batches among processes.
  /// - Throws: `ConfigurationError` if the patches do not fit, images are not square, or captions do
  ///   not differ; what the source throws.
  public convenience init(
    _ configuration: CLIPTrainingConfiguration, source: any CaptionedMediaSource,
    validationFraction: Double = 0.1, validationCount: Int = 512, seed: UInt64,
    communicator: any Communicator = SingleProcess()
  ) throws {
    try self.init(
      configuration,
      pairs: CaptionedPairing(
        source, batchSize: configuration.optimization.batchSize,
        validationFraction: validationFraction, validationCount: validationCount, seed: seed),
      seed: seed, communicator: communicator)
  }

  private init(
    _ configuration: CLIPTrainingConfiguration, pairs: any ContrastivePairs, seed: UInt64,
    communicator: any Communicator
  ) throws {
    self.communicator = communicator
    let size = pairs.imageSize
    try ConfigurationError.require(
      size % configuration.patchSize == 0, "clip.patchSize", configuration.patchSize,
      "a divisor of the images' size, which is \(size)")
    self.configuration = configuration
    self.seed = seed
    self.pairs = pairs
    let tokenizer = CLIPTokenizer(
      vocabulary: BytePairVocabulary(
        trainedOn: try pairs.vocabularyTexts, size: configuration.vocabularySize),
      maximumLength: configuration.maximumLength)
    var random = RandomStream(seed: seed, purpose: "weights of the reward")
    let model = CLIPModel(
      configuration.model(imageSize: size, tokenizer: tokenizer), random: &random)
    var processor = CLIPImageProcessor(size: size)
    processor.mean = [0.5, 0.5, 0.5]
    processor.standardDeviation = [0.5, 0.5, 0.5]
    trained = ImageTextModel(model: model, tokenizer: tokenizer, processor: processor)
    let scale = model.logitScale
    training = SupervisedTraining(model.parameters, configuration.optimization.options) {
      scale.value = scale.value.clamped(to: 0, Self.maxLogitScale)
    }
  }

  /// The number of steps taken.
  public var stepIndex: Int { training.stepIndex }
  /// How many there are to be.
  public var iterations: Int { configuration.optimization.stepCount }
  /// The number of weights.
  public var parameterCount: Int { trained.model.parameters.elementCount }
  /// What is not learned where nobody knows what images show but for their captions.
  public var notes: [String] { pairs.notes }

  /// Learns from the next batch.
  public func step() throws -> RewardTrainingReport {
    let settings = configuration.optimization
    let first = stepIndex * settings.batchSize
    let batch = try pairs.batch(step: stepIndex, size: settings.batchSize)
    let images = batch.images.noisyImages(limit: configuration.noise, seed: seed, firstIndex: first)
    let trained = self.trained
    let questions = configuration.itemWeight > 0 ? batch.questions : nil
    let texts = batch.captions + (questions?.answers ?? [])
    let tokens = texts.map(trained.tokens)
    let isTrue = batch.isTrue
    let captions = 0..<batch.captions.count
    let result = try EmbeddingGradients(
      imageCount: settings.batchSize, textCount: texts.count, shardSize: settings.shardSize,
      parameters: [trained.model.logitScale], trained: trained.model.parameters,
      over: communicator,
      embedImages: { trained.model.imageFeatures(images.slice($0)).normalizedRows() },
      embedTexts: { trained.model.textFeatures(trained.padded(tokens[$0])).normalizedRows() }
    ) { images, texts in
      let scale = trained.model.logitScale.tensor
      let contrast = ContrastiveLoss.value(
        images: images, texts: texts.slice(captions), logitScale: scale, isTrue: isTrue)
      guard let questions else { return contrast }
      let answers = texts.slice(captions.upperBound..<texts.shape[0])
      return contrast
        + questions.loss(images: images, answers: answers, logitScale: scale)
        * Float(configuration.itemWeight)
    }
    let nearest = result.images.matmul(result.texts.slice(captions).transposed())
      .argumentsOfMaximum()
    let rightCount = nearest.indices.count { isTrue[$0 * settings.batchSize + nearest[$0]] }
    return RewardTrainingReport(
      try training.step(by: result.gradients, loss: result.loss),
      accuracy: Double(rightCount) / Double(settings.batchSize))
  }

  /// The model with averaged weights.
  public func emaModel() throws -> ImageTextModel {
    var unset = UnsetWeights()
    let model = CLIPModel(trained.model.configuration, random: &unset)
    try model.parameters.load(training.emaWeights)
    return ImageTextModel(
      model: model, tokenizer: trained.tokenizer, processor: trained.processor)
  }

  /// `retrievalAccuracy`: how often the nearest caption among 16 is true of the image, on dolls
  /// of another seed; `retrievalAccuracyHeldOut`: on held-out pairs, if there are any;
  /// `itemAccuracy`: how often an item's own name is nearer than those of others in its place. Of
  /// images that are no dolls there is `retrievalAccuracy` alone, on those that are kept for it.
  public func validationMetrics() throws -> [String: Double] {
    try pairs.validationMetrics(emaModel())
  }

  /// What a later run needs to go on exactly from here.
  public func trainingState() -> TrainingState { training.state }

  /// Goes on from a saved state.
  public func restore(_ state: TrainingState) throws { try training.restore(state) }

  /// Writes a folder in the layout of transformers' `CLIPModel`, with the averaged weights.
  public func write(folder: String, elementType: ElementType = .float32) throws {
    try emaModel().write(folder: folder, elementType: elementType)
  }
}
