import CaptionedMedia
import Media
import NeuralNetworks
import Tensors

/// Questions about each item of each image of a batch: which of the items that some doll of the
/// batch has in this place is it?
///
/// Captions alone teach the most conspicuous items and leave the rest to chance, because they are
/// enough to tell most images apart. Here every item of every image has to be told from others.
struct ItemQuestions {
  /// What items are called, each once: the answers to choose from.
  let answers: [String]
  /// The image of each question.
  private let imageIndices: [Int]
  /// The place of its right answer among the answers.
  private let targets: [Int]
  /// `[R, T]`: 0 for possible answers, and a large negative number for items of other places and
  /// for others that the doll has too.
  private let mask: Tensor

  init(about dolls: [Doll]) {
    var answers: [String] = []
    var places: [String: Int] = [:]
    var slots: [Set<DollSlot>] = []
    for item in dolls.flatMap(\.items) {
      let text = item.phraseWithArticle
      let place = places[text] ?? answers.count
      if place == answers.count {
        places[text] = place
        answers.append(text)
        slots.append([])
      }
      slots[place].insert(item.slot)
    }
    var imageIndices: [Int] = []
    var targets: [Int] = []
    var mask: [Float] = []
    for (imageIndex, doll) in dolls.enumerated() {
      let had = Set(doll.items.compactMap { places[$0.phraseWithArticle] })
      for item in doll.items {
        guard let target = places[item.phraseWithArticle] else { continue }
        imageIndices.append(imageIndex)
        targets.append(target)
        mask += answers.indices.map { answer in
          let isPossible =
            answer == target || slots[answer].contains(item.slot) && !had.contains(answer)
          return isPossible ? 0 : -1e4
        }
      }
    }
    self.answers = answers
    self.imageIndices = imageIndices
    self.targets = targets
    self.mask = Tensor(shape: [targets.count, answers.count], elements: mask)
  }

  /// The mean over the questions of -ln p(right answer).
  ///
  /// - Parameters:
  ///   - images: rows of unit length, `[B, P]`.
  ///   - answers: the row of each answer, `[T, P]`.
  ///   - logitScale: the logarithm of the factor on cosines, `[]`.
  func loss(images: Tensor, answers: Tensor, logitScale: Tensor) -> Tensor {
    let logits = cosines(images: images, answers: answers) * logitScale.exp() + mask
    return Losses.crossEntropy(logits, targets: targets)
  }

  /// The fraction of the questions whose right answer is the nearest.
  func accuracy(images: Tensor, answers: Tensor) -> Double {
    let nearest = (cosines(images: images, answers: answers) + mask).argumentsOfMaximum()
    return Double(zip(nearest, targets).count { $0 == $1 }) / Double(targets.count)
  }

  /// A row for each question, `[R, T]`.
  private func cosines(images: Tensor, answers: Tensor) -> Tensor {
    var choice = Tensor.zeros([imageIndices.count, images.shape[0]])
    choice.withUnsafeMutableElements { choice in
      for (row, imageIndex) in imageIndices.enumerated() {
        choice[row * images.shape[0] + imageIndex] = 1
      }
    }
    return choice.matmul(images.matmul(answers.transposed()))
  }
}

/// How often a model knows an item of an image by its name.
public enum ItemAccuracy {
  /// The fraction of the items of all images whose own name is nearer to the image than the names
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

/// How often a model finds the caption of an image among several.
public enum RetrievalAccuracy {
  /// Captions to choose from.
  public static let groupSize = 16

  /// The fraction of images for which the nearest caption of their group is true of them: their
  /// own, or another that leaves out what is different.
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
    return measure(
      model, CaptionedMedia(images: batch.images, captions: batch.captions), groupSize: groupSize
    ) { batch.truth(parser, in: $0) }
  }

  /// The same for any pairs.
  ///
  /// - Parameters:
  ///   - model: the reward.
  ///   - pairs: images and captions, whole groups of them.
  ///   - groupSize: the captions to choose from.
  ///   - truth: which captions of a group are true of which of its images, row by row.
  static func measure(
    _ model: ImageTextModel, _ pairs: CaptionedMedia, groupSize: Int,
    truth: (Range<Int>) -> [Bool]
  ) -> Double {
    let count = pairs.captions.count
    let images = model.features(of: Image.batch(pairs.images, range: .minusOneToOne))
    let texts = model.features(of: pairs.captions)
    var rightCount = 0
    for start in stride(from: 0, to: count, by: groupSize) {
      let range = start..<start + groupSize
      let nearest = images.slice(range).matmul(texts.slice(range).transposed())
        .argumentsOfMaximum()
      let isTrue = truth(range)
      rightCount += nearest.indices.count { isTrue[$0 * groupSize + nearest[$0]] }
    }
    return Double(rightCount) / Double(count)
  }
}
