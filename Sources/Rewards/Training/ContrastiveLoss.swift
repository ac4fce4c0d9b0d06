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
