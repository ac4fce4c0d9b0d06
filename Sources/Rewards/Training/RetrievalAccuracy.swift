import CaptionedImages
import Media
import Tensors

/// How often a model finds the caption of an image among several.
public enum RetrievalAccuracy {
  /// Captions to choose from.
  public static let groupSize = 16

  /// The share of images for which the nearest caption of their group is true of them: their own,
  /// or another that leaves out what is different.
  ///
  /// - Parameters:
  ///   - model: the reward.
  ///   - source: makes images and captions.
  ///   - count: how many of each, a multiple of `groupSize`.
  public static func measure(
    _ model: ImageTextModel, _ source: DollSource, count: Int
  ) -> Double {
    precondition(
      count > 0 && count.isMultiple(of: groupSize), "\(count) images in groups of \(groupSize)")
    let batch = DollBatch(source, at: 0..<count)
    let parser = PromptParser(source.composer.catalog)
    let drawn = Image.batch(batch.images, range: .minusOneToOne)
    let images = model.features(of: drawn)
    let texts = model.features(of: batch.captions)
    var rightCount = 0
    for start in stride(from: 0, to: count, by: groupSize) {
      let range = start..<start + groupSize
      let nearest = images.slice(range).matmul(texts.slice(range).transposed())
        .argumentsOfMaximum()
      let isTrue = batch.truth(parser, in: range)
      rightCount += nearest.indices.count { isTrue[$0 * groupSize + nearest[$0]] }
    }
    return Double(rightCount) / Double(count)
  }
}
