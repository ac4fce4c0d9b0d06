import Tensors

/// Losses as functions of tensors; each is a scalar, the mean over all elements or rows.
public enum Losses {
  /// The mean of (prediction - target)^2.
  public static func meanSquaredError(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    (prediction - target).squared().mean()
  }

  /// The mean of |prediction - target|.
  public static func meanAbsoluteError(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    (prediction - target).absolute().mean()
  }

  /// Quadratic for errors below `threshold`, linear above (Huber 1964), as `torch.nn.HuberLoss`.
  public static func huber(
    _ prediction: Tensor, _ target: Tensor, threshold: Float = 1
  ) -> Tensor {
    // With a = |error| and c = min(a, threshold): c^2 / 2 + threshold (a - c).
    let error = (prediction - target).absolute()
    let core = Tensor.minimum(error, Tensor(threshold))
    return (core.squared() * 0.5 + (error - core) * threshold).mean()
  }

  /// The mean over rows of -ln softmax(logits)[target].
  ///
  /// - Parameters:
  ///   - logits: `[B, C]`
  ///   - targets: `B` classes.
  public static func crossEntropy(_ logits: Tensor, targets: [Int]) -> Tensor {
    -logits.logSoftmax().gatherAlongLast(targets).mean()
  }

  /// The mean of -target ln p - (1 - target) ln(1 - p) with p = sigmoid(logits), without overflow.
  public static func binaryCrossEntropy(logits: Tensor, targets: Tensor) -> Tensor {
    // = softplus(logits) - logits target
    (logits.softplus() - logits * targets).mean()
  }
}
