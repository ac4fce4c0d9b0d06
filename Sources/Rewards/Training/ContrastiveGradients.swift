import NeuralNetworks
import Tensors

/// The gradients of the contrastive loss of a large batch.
///
/// The loss needs every row at once, but activations should stay in a core's cache. So all rows are
/// embedded first, without recording; the loss gives the gradient at each row; and shards are
/// embedded again, recorded, and walked back from there (GradCache, Gao et al., arXiv:2101.06983).
struct ContrastiveGradients {
  let loss: Double
  /// The share of pictures whose own text is the nearest.
  let accuracy: Double
  let gradients: Gradients

  /// - Parameters:
  ///   - count: the batch size.
  ///   - embed: the pictures and the texts of a range, rows of unit length.
  init(
    count: Int, shardSize: Int, logitScale: Parameter, equalTexts: [Int],
    embed: @Sendable (Range<Int>) -> (images: Tensor, texts: Tensor)
  ) {
    // 1. All rows.
    let rows = shardedMap(count: count, shardSize: shardSize) { range in
      let (images, texts) = embed(range)
      return Tensor.stacked([images, texts]).transposed([1, 0, 2])  // [S, 2, P]
    }
    let images = rows.slice(0..<1, along: 1).reshaped(to: [count, -1]).tracked()
    let texts = rows.slice(1..<2, along: 1).reshaped(to: [count, -1]).tracked()

    // 2. The loss, and the gradient at each row.
    let (value, outer) = valueAndGradients {
      ContrastiveLoss.value(
        images: images, texts: texts, logitScale: logitScale.tensor, equalTexts: equalTexts)
    }
    guard let imageGradient = outer[images], let textGradient = outer[texts] else {
      preconditionFailure("the contrastive loss depends on pictures and texts")
    }

    // 3. Back through the towers: the gradient of <row, its gradient> is the chain rule's.
    var (_, _, gradients) = shardedValueAndGradients(count: count, shardSize: shardSize) { range in
      let (images, texts) = embed(range)
      let product =
        (images * imageGradient.slice(range)).sum() + (texts * textGradient.slice(range)).sum()
      return ShardResult(loss: product)
    }
    gradients[logitScale.leaf] = outer[logitScale.leaf]
    self.gradients = gradients
    loss = Double(value.scalar)
    let nearest = images.detached().matmul(texts.detached().transposed()).argumentsOfMaximum()
    let rightCount = nearest.indices.count { equalTexts[nearest[$0]] == equalTexts[$0] }
    accuracy = Double(rightCount) / Double(count)
  }
}
