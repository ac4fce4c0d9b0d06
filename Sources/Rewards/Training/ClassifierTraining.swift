import CaptionedMedia
import Configuration
import Files
import NeuralNetworks
import Tensors
import TextToImage

/// The sizes of the attribute classifier and how it is trained.
public struct ClassifierTrainingConfiguration: Settings {
  /// Channels at full, half and quarter resolution, multiples of 8.
  @Setting(.channels) public var channels = [32, 64, 128]
  /// The width before the classes.
  @Setting(1...65_536) public var hiddenSize = 256
  /// The maximum standard deviation of noise on images, where black is -1 and white is 1.
  @Setting(.fraction) public var noise = 0.3
  /// How weights are changed.
  public var optimization = OptimizationSettings()

  /// The defaults.
  public init() {}
}

extension SettingRange<[Int]> {
  fileprivate static var channels: SettingRange {
    .init("three multiples of 8") {
      $0.count == 3 && $0.allSatisfy { (8...4_096).contains($0) && $0 % 8 == 0 }
    }
  }
}

/// Trains the attribute classifier on images or clips of which it is known what they show.
///
/// Everything is a function of the source, the settings and the seed: a restored training goes on
/// with the same bits.
public final class ClassifierTraining: RewardTraining {
  /// How it learns.
  public let configuration: ClassifierTrainingConfiguration
  private let source: any AttributedMediaSource
  private let unseen: any AttributedMediaSource
  private let heldOut: (any AttributedMediaSource)?
  private let validationCount: Int
  private let seed: UInt64
  private let classifier: AttributeClassifier
  private let training: SupervisedTraining
  private let communicator: any Communicator

  /// A training from random weights.
  ///
  /// - Parameters:
  ///   - configuration: checked by `validate()`.
  ///   - source: what is learned from.
  ///   - unseen: the same kind of images, of another seed, to measure on.
  ///   - heldOut: others to measure on; nil if there are none.
  ///   - sizeKey: the setting that decides the size of the images, for errors.
  ///   - validationCount: images to measure on.
  ///   - seed: decides weights and noise.
  /// - Throws: `ConfigurationError` if the images have no fitting size.
  public init(
    _ configuration: ClassifierTrainingConfiguration, source: any AttributedMediaSource,
    unseen: any AttributedMediaSource, heldOut: (any AttributedMediaSource)?, sizeKey: String,
    validationCount: Int = 512, seed: UInt64, communicator: any Communicator = SingleProcess()
  ) throws {
    guard source.width == source.height, source.width % 4 == 0 else {
      throw ConfigurationError.badValue(
        key: sizeKey, found: "images of \(source.width)x\(source.height)",
        expected: "square ones of a size that 4 divides")
    }
    self.configuration = configuration
    self.seed = seed
    self.validationCount = validationCount
    self.source = source
    self.unseen = unseen
    self.heldOut = heldOut
    self.communicator = communicator
    var random = RandomStream(seed: seed, purpose: "weights of the classifier")
    classifier = AttributeClassifier(
      .init(
        imageSize: source.width, frameCount: source.frames, channels: configuration.channels,
        hiddenSize: configuration.hiddenSize),
      classes: AttributeClasses(slots: source.slots), random: &random)
    training = SupervisedTraining(
      classifier.parameters, configuration.optimization.options)
  }

  /// The same for paper dolls.
  ///
  /// - Parameters:
  ///   - configuration: checked by `validate()`.
  ///   - composer: makes the dolls.
  ///   - pairs: which of them are shown.
  ///   - validationCount: images to measure on.
  ///   - seed: decides weights, dolls and noise.
  ///   - communicator: divides batches among processes.
  /// - Throws: `ConfigurationError` if the layers have no fitting size; `CaptionedDataError` if
  ///   there are no such pairs.
  public convenience init(
    _ configuration: ClassifierTrainingConfiguration, composer: DollComposer,
    pairs: PairSelection = .all, validationCount: Int = 512, seed: UInt64,
    communicator: any Communicator = SingleProcess()
  ) throws {
    try self.init(
      configuration, source: DollSource(composer, seed: seed, pairs: pairs),
      unseen: DollSource(composer, seed: ~seed, pairs: pairs),
      heldOut: composer.hasHeldOutPairs
        ? DollSource(composer, seed: ~seed, pairs: .heldOut) : nil,
      sizeKey: "dolls.folder", validationCount: validationCount, seed: seed,
      communicator: communicator)
  }

  /// The number of steps taken.
  public var stepIndex: Int { training.stepIndex }
  /// How many there are to be.
  public var iterations: Int { configuration.optimization.stepCount }
  /// The number of weights.
  public var parameterCount: Int { classifier.parameters.elementCount }

  /// Learns from the next batch.
  public func step() throws -> RewardTrainingReport {
    let settings = configuration.optimization
    let count = settings.batchSize
    let first = stepIndex * count
    let batch = source.attributed(in: first..<first + count)
    let images = batch.images.noisyImages(limit: configuration.noise, seed: seed, firstIndex: first)
    let classifier = self.classifier
    let labels = batch.attributes.map(classifier.classes.labels)
    let ranges = classifier.classes.ranges
    let (loss, sums, gradients) = try communicator.shardedValueAndGradients(
      count: count, shardSize: settings.shardSize, of: classifier.parameters
    ) { rows in
      let logits = classifier(images.slice(rows))
      var sum = Tensor(0)
      var rightCount = 0
      for (place, range) in ranges.enumerated() {
        let part = logits.slice(range, along: 1)
        let targets = rows.map { labels[$0][place] }
        sum = sum + Losses.crossEntropy(part, targets: targets)
        rightCount += zip(part.argumentsOfMaximum(), targets).count { $0 == $1 }
      }
      let fraction = Float(rows.count) / Float(count) / Float(ranges.count)
      return ShardResult(loss: sum * fraction, sums: ["right": Double(rightCount)])
    }
    return RewardTrainingReport(
      try training.step(by: gradients, loss: loss),
      accuracy: sums["right"] / Double(count * ranges.count))
  }

  /// The classifier with averaged weights.
  public func emaClassifier() throws -> AttributeClassifier {
    var unset = UnsetWeights()
    let averaged = AttributeClassifier(
      classifier.configuration, classes: classifier.classes, random: &unset)
    try averaged.parameters.load(training.emaWeights)
    return averaged
  }

  /// `attributeAccuracy`: the fraction of slots that are right on images of another seed;
  /// `imageAccuracy`: the fraction of images with all slots right; `<slot>Accuracy`; and
  /// `attributeAccuracyHeldOut` on held-out pairs, if there are any.
  public func validationMetrics() throws -> [String: Double] {
    let classifier = try emaClassifier()
    var metrics = AttributeAccuracy.measure(classifier, unseen, count: validationCount)
    if let heldOut {
      metrics["attributeAccuracyHeldOut"] =
        AttributeAccuracy.measure(classifier, heldOut, count: validationCount)["attributeAccuracy"]
    }
    return metrics
  }

  /// What a later run needs to go on exactly from here.
  public func trainingState() -> TrainingState { training.state }

  /// Goes on from a saved state.
  public func restore(_ state: TrainingState) throws { try training.restore(state) }

  /// Writes the classifier's folder, with the averaged weights.
  public func write(folder: String, elementType: ElementType = .float32) throws {
    try emaClassifier().write(folder: folder, elementType: elementType)
  }
}

/// How often a classifier is right.
public enum AttributeAccuracy {
  /// `attributeAccuracy`, `imageAccuracy` and `<slot>Accuracy`.
  public static func measure(
    _ classifier: AttributeClassifier, _ source: any AttributedMediaSource, count: Int
  ) -> [String: Double] {
    let batch = source.attributed(in: 0..<count)
    let found = classifier.labels(batch.images)
    let expected = batch.attributes.map(classifier.classes.labels)
    var metrics: [String: Double] = [:]
    var sum = 0.0
    for (place, (slot, _)) in classifier.classes.slots.enumerated() {
      let fraction =
        Double(zip(found, expected).count { $0[place] == $1[place] }) / Double(count)
      metrics["\(slot.rawValue)Accuracy"] = fraction
      sum += fraction
    }
    metrics["attributeAccuracy"] = sum / Double(classifier.classes.slots.count)
    metrics["imageAccuracy"] = Double(zip(found, expected).count { $0 == $1 }) / Double(count)
    return metrics
  }
}
