import CaptionedMedia
import Configuration
import Tensors

/// Images with captions that a contrastive training learns from, and what is known of them.
protocol ContrastivePairs {
  /// Pixels in a row, and rows, of each image.
  var imageSize: Int { get }
  /// What a vocabulary is learned from.
  var vocabularyTexts: [String] { get throws }
  /// What is not done, or otherwise than one might think, one sentence each.
  var notes: [String] { get }

  /// The pairs of a step; the same number gives the same ones.
  ///
  /// - Throws: what the source throws.
  mutating func batch(step: Int, size: Int) throws -> ContrastiveBatch

  /// Measures a model on pairs that no batch has.
  ///
  /// - Throws: what the source throws.
  func validationMetrics(_ model: ImageTextModel) throws -> [String: Double]
}

/// A batch of a contrastive training.
struct ContrastiveBatch {
  /// `[B, H, W, 3]` in -1...1.
  let images: Tensor
  /// One of each image.
  let captions: [String]
  /// `[B, B]`, row by row: whether the caption of a column is true of a row's image.
  let isTrue: [Bool]
  /// About every item of every image; nil where nobody knows the items.
  let questions: ItemQuestions?
}

/// Paper dolls, whose catalogue tells which captions are true of which dolls, and what there is to
/// ask about each.
struct DollPairing: ContrastivePairs {
  private let source: DollSource
  private let unseen: DollSource
  private let parser: PromptParser
  private let validationCount: Int

  /// - Throws: `ConfigurationError` if layers are not square; `CaptionedDataError` if there are no
  ///   such pairs.
  init(
    _ composer: DollComposer, pairs: PairSelection, groups: DollGroups, validationCount: Int,
    seed: UInt64
  ) throws {
    guard composer.width == composer.height else {
      throw ConfigurationError.badValue(
        key: "dolls.folder", found: "layers of \(composer.width)x\(composer.height)",
        expected: "square layers")
    }
    source = try DollSource(composer, seed: seed, pairs: pairs, groups: groups)
    // Another seed, so that compositions and captions are others, but for the few that recur.
    unseen = try DollSource(composer, seed: ~seed, pairs: pairs)
    parser = PromptParser(composer.catalog)
    self.validationCount = validationCount
  }

  var imageSize: Int { source.width }
  var notes: [String] { [] }

  var vocabularyTexts: [String] {
    let phrases = source.composer.catalog.items.map(\.phraseWithArticle)
    return phrases + source.captions(at: Array(0..<2_000))
  }

  func batch(step: Int, size: Int) -> ContrastiveBatch {
    let batch = DollBatch(source, at: step * size..<(step + 1) * size)
    return ContrastiveBatch(
      images: batch.images, captions: batch.captions, isTrue: batch.truth(parser),
      questions: ItemQuestions(about: batch.dolls))
  }

  func validationMetrics(_ model: ImageTextModel) throws -> [String: Double] {
    var metrics = [
      "retrievalAccuracy": RetrievalAccuracy.measure(model, unseen, count: validationCount),
      "itemAccuracy": ItemAccuracy.measure(model, unseen, count: validationCount),
    ]
    if unseen.composer.hasHeldOutPairs {
      let heldOut = try DollSource(unseen.composer, seed: unseen.seed, pairs: .heldOut)
      metrics["retrievalAccuracyHeldOut"] = RetrievalAccuracy.measure(
        model, heldOut, count: validationCount)
    }
    return metrics
  }
}

/// Captioned images of any source. A caption is true of another image only if both have the same.
struct CaptionedPairing: ContrastivePairs {
  private let source: any CaptionedMediaSource
  /// The numbers of the pairs to learn from; nil for all from `validation.count` on, without end.
  private let training: [Int]?
  /// The numbers of the pairs that are kept for validation, whole groups of them.
  private let validation: [Int]
  private let groupSize: Int
  private var order: PairOrder
  let notes: [String]
  /// The most captions that a vocabulary is learned from.
  private static let vocabularyCaptionCount = 20_000

  /// - Parameters:
  ///   - source: images and captions.
  ///   - batchSize: pairs of a step.
  ///   - validationFraction: the fraction of a finite source that is kept for validation.
  ///   - validationCount: the maximum number of pairs to measure on.
  ///   - seed: decides the order, and which pairs are kept.
  /// - Throws: `ConfigurationError` if images are not square, or captions too few or all the same;
  ///   what the source throws.
  init(
    _ source: any CaptionedMediaSource, batchSize: Int, validationFraction: Double,
    validationCount: Int, seed: UInt64
  ) throws {
    try ConfigurationError.require(
      source.width == source.height, "data.size", "images of \(source.width)x\(source.height)",
      "the pixels in a row, and rows, that images are cut to")
    self.source = source
    let kept: [Int]
    if let count = source.count {
      var random = RandomStream(seed: seed, purpose: "validation of captioned images")
      let shuffled = random.permutation(count)
      let keptCount = Int((validationFraction * Double(count)).rounded(.down))
      kept = shuffled.prefix(keptCount).sorted()
      let training = shuffled.dropFirst(keptCount).sorted()
      let different = Set(try source.captions(at: training)).count
      try ConfigurationError.require(
        different > 1, "data.path",
        "\(training.count) images to learn from, with captions of which \(different) differ",
        "at least two different captions: what an image shows is learned from what others do not")
      self.training = training
    } else {
      kept = Array(0..<validationCount)
      training = nil
    }
    order = PairOrder(count: training?.count, batchSize: batchSize, seed: seed)
    let usable = min(validationCount, kept.count)
    groupSize = max(1, min(RetrievalAccuracy.groupSize, usable))
    validation = usable > 1 ? Array(kept.prefix(usable / groupSize * groupSize)) : []
    let retrieval =
      validation.isEmpty
      ? "no retrieval is measured: fewer than two images are kept for it (data.validationFraction)"
      : "retrieval is measured on \(validation.count) of \(kept.count) images that are kept for it, "
        + "among \(groupSize) captions"
    notes = [
      "captions alone are learned from: clip.itemWeight and clip.alike need the catalogue of dolls, "
        + "and a caption is true of another image only if both have the same", retrieval,
    ]
  }

  var imageSize: Int { source.width }

  var vocabularyTexts: [String] {
    get throws {
      let numbers = training ?? Array(validation.count..<validation.count + 2_000)
      return try source.captions(at: Array(numbers.prefix(Self.vocabularyCaptionCount)))
    }
  }

  mutating func batch(step: Int, size: Int) throws -> ContrastiveBatch {
    precondition(size == order.batchSize, "\(size) pairs of batches of \(order.batchSize)")
    order.nextBatch = step
    let numbers = order.next().map { training?[$0] ?? $0 + validation.count }
    let pairs = try source.batch(at: numbers)
    return ContrastiveBatch(
      images: pairs.images, captions: pairs.captions, isTrue: Self.truth(pairs.captions[...]),
      questions: nil)
  }

  func validationMetrics(_ model: ImageTextModel) throws -> [String: Double] {
    guard !validation.isEmpty else { return [:] }
    let pairs = try source.batch(at: validation)
    return [
      "retrievalAccuracy": RetrievalAccuracy.measure(model, pairs, groupSize: groupSize) {
        Self.truth(pairs.captions[$0])
      }
    ]
  }

  /// Which captions are equal, row by row.
  private static func truth(_ captions: ArraySlice<String>) -> [Bool] {
    captions.flatMap { own in captions.map { $0 == own } }
  }
}
