import CaptionedImages
import Media

/// How often a model knows an item of an image by its name.
public enum ItemAccuracy {
  /// The share of the items of all images whose own name is nearer to the image than the names
  /// of all other items in the same place that any of the images has.
  ///
  /// - Parameters:
  ///   - model: the reward.
  ///   - source: makes the images.
  ///   - count: how many.
  public static func measure(_ model: ImageTextModel, _ source: DollSource, count: Int) -> Double {
    let batch = DollBatch(source, at: 0..<count)
    let questions = ItemQuestions(about: batch.dolls)
    return questions.accuracy(
      images: model.features(of: Image.batch(batch.images, range: .minusOneToOne)),
      answers: model.features(of: questions.answers))
  }
}
