import NeuralNetworks
import Tensors

/// The symmetric loss that brings images and their texts together (Radford et al.,
/// arXiv:2103.00020, figure 3; InfoNCE, van den Oord et al., arXiv:1807.03748).
public enum ContrastiveLoss {
  /// The mean of both directions' cross entropies.
  ///
  /// - Parameters:
  ///   - images: rows of unit length, `[B, P]`.
  ///   - texts: the row of each image's text, `[B, P]`.
  ///   - logitScale: the logarithm of the factor on cosines, `[]`.
  ///   - isTrue: `[B, B]`, row by row: whether the text of a column is true of a row's image, by
  ///     chance or because it is its own; such texts are not held against one another.
  public static func value(
    images: Tensor, texts: Tensor, logitScale: Tensor, isTrue: [Bool]
  ) -> Tensor {
    let count = images.shape[0]
    precondition(
      images.shape == texts.shape && isTrue.count == count * count,
      "images \(images.shape) for texts \(texts.shape) and \(isTrue.count) answers")
    var mask = Tensor.zeros([count, count])
    mask.withUnsafeMutableElements { mask in
      for row in 0..<count {
        for column in 0..<count where row != column && isTrue[row * count + column] {
          mask[row * count + column] = -1e4
        }
      }
    }
    let logits = images.matmul(texts.transposed()) * logitScale.exp() + mask  // [B, B]
    let targets = Array(0..<count)
    return
      (Losses.crossEntropy(logits, targets: targets)
      + Losses.crossEntropy(logits.transposed(), targets: targets)) * 0.5
  }
}

/// The gradients of a loss that needs every image and every text of a large batch at once.
///
/// Activations should stay in a core's cache all the same. So all rows are embedded first, without
/// recording; the loss gives the gradient at each row; and shards are embedded again, recorded, and
/// walked back from there (GradCache, Gao et al., arXiv:2101.06983).
struct EmbeddingGradients {
  /// Embeds a range of images or texts as rows of unit length, `[S, P]`.
  typealias Embedding = @Sendable (Range<Int>) -> Tensor

  let loss: Double
  let gradients: Gradients
  /// The images' rows, `[B, P]`.
  let images: Tensor
  /// The texts' rows, `[T, P]`.
  let texts: Tensor

  /// - Parameters:
  ///   - imageCount: B.
  ///   - textCount: T.
  ///   - shardSize: rows that are embedded together.
  ///   - parameters: what `lossOfRows` depends on besides the rows.
  ///   - trained: all that is learned.
  ///   - communicator: divides rows among processes.
  ///   - embedImages: some of the images.
  ///   - embedTexts: some of the texts.
  ///   - lossOfRows: a scalar of all rows.
  init(
    imageCount: Int, textCount: Int, shardSize: Int, parameters: [Parameter],
    trained: NamedParameters, over communicator: any Communicator = SingleProcess(),
    embedImages: @escaping Embedding, embedTexts: @escaping Embedding,
    lossOfRows: (_ images: Tensor, _ texts: Tensor) -> Tensor
  ) throws {
    // 1. All rows.
    images = try communicator.rows(imageCount, shardSize, embedImages)
    texts = try communicator.rows(textCount, shardSize, embedTexts)
    let (images, texts) = (images.tracked(), texts.tracked())

    // 2. The loss, and the gradient at each row.
    let (value, outer) = valueAndGradients { lossOfRows(images, texts) }
    guard let imageGradient = outer[images], let textGradient = outer[texts] else {
      preconditionFailure("the loss depends on images and texts")
    }

    // 3. Back through the towers: the gradient of <row, its gradient> is the chain rule's.
    let shards =
      Self.shards(imageCount, shardSize).map { ($0, embedImages, imageGradient) }
      + Self.shards(textCount, shardSize).map { ($0, embedTexts, textGradient) }
    var (_, _, gradients) = try communicator.shardedValueAndGradients(
      count: shards.count, shardSize: 1, of: trained
    ) { place in
      let (range, embed, gradient) = shards[place.lowerBound]
      return ShardResult(loss: (embed(range) * gradient.slice(range)).sum())
    }
    for parameter in parameters { gradients[parameter.leaf] = outer[parameter.leaf] }
    self.gradients = gradients
    loss = Double(value.scalar)
  }

  private static func shards(_ count: Int, _ size: Int) -> [Range<Int>] {
    stride(from: 0, to: count, by: size).map { $0..<min(count, $0 + size) }
  }
}

extension Communicator {
  /// Rows that ranks make in whole shards, each its part, `[N, ...]`.
  fileprivate func rows(
    _ count: Int, _ shardSize: Int, _ embed: @escaping EmbeddingGradients.Embedding
  ) throws -> Tensor {
    let shardCount = (count + shardSize - 1) / shardSize
    // Each makes all of a few.
    guard processCount > 1, shardCount >= processCount else {
      return shardedMap(count: count, shardSize: shardSize, embed)
    }
    let shards = fraction(of: shardCount)
    let own = shards.lowerBound * shardSize..<min(count, shards.upperBound * shardSize)
    return try gatherRows(
      shardedMap(count: own.count, shardSize: shardSize) {
        embed(own.lowerBound + $0.lowerBound..<own.lowerBound + $0.upperBound)
      })
  }
}
