import CaptionedImages
import Media
import Tensors

/// How often a model finds the caption of a picture among several.
public enum RetrievalAccuracy {
  /// The share of pictures whose own caption is the nearest of its group's. A caption that a group
  /// has twice counts for both pictures.
  ///
  /// - Parameters:
  ///   - model: the judge.
  ///   - source: makes pictures and captions.
  ///   - count: how many of each, a multiple of `groupSize`.
  ///   - groupSize: captions to choose from.
  public static func measure(
    _ model: ImageTextModel, _ source: DollSource, count: Int, groupSize: Int = 16
  ) -> Double {
    precondition(
      count > 0 && count.isMultiple(of: groupSize), "\(count) pictures in groups of \(groupSize)")
    let batch = DollBatch(source, at: 0..<count)
    let pictures = Image.batch(batch.images, range: .minusOneToOne)
    let images = model.features(of: pictures)
    let texts = model.features(of: batch.captions)
    var rightCount = 0
    for start in stride(from: 0, to: count, by: groupSize) {
      let range = start..<start + groupSize
      let nearest = images.slice(range).matmul(texts.slice(range).transposed())
        .argumentsOfMaximum()
      rightCount += range.count {
        batch.captions[start + nearest[$0 - start]] == batch.captions[$0]
      }
    }
    return Double(rightCount) / Double(count)
  }
}
