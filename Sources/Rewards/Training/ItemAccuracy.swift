import CaptionedImages
import Media

/// How often a model knows an item of a picture by its name.
public enum ItemAccuracy {
  /// The share of the items of all pictures whose own name is nearer to the picture than the names
  /// of all other items in the same place that any of the pictures has.
  ///
  /// - Parameters:
  ///   - model: the judge.
  ///   - source: makes the pictures.
  ///   - count: how many.
  public static func measure(_ model: ImageTextModel, _ source: DollSource, count: Int) -> Double {
    let batch = DollBatch(source, at: 0..<count)
    let questions = ItemQuestions(about: batch.dolls)
    return questions.accuracy(
      images: model.features(of: Image.batch(batch.images, range: .minusOneToOne)),
      answers: model.features(of: questions.answers))
  }
}
