import NeuralNetworks
import Tensors

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
  ///   - embedImages: some of the images.
  ///   - embedTexts: some of the texts.
  ///   - lossOfRows: a scalar of all rows.
  init(
    imageCount: Int, textCount: Int, shardSize: Int, parameters: [Parameter],
    embedImages: @escaping Embedding, embedTexts: @escaping Embedding,
    lossOfRows: (_ images: Tensor, _ texts: Tensor) -> Tensor
  ) {
    // 1. All rows.
    images = shardedMap(count: imageCount, shardSize: shardSize, embedImages)
    texts = shardedMap(count: textCount, shardSize: shardSize, embedTexts)
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
    var (_, _, gradients) = shardedValueAndGradients(count: shards.count, shardSize: 1) { place in
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
