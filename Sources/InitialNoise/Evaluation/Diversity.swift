import ReinforcementLearning
import Tensors

/// How different pictures are from one another.
public enum Diversity {
  /// The mean distance, 1 - cosine, between two pictures' features `[B, P]`, rows of unit length;
  /// nil for fewer than two pictures.
  ///
  /// A mean over pairs: its standard error is twice that of the mean of each picture's own mean
  /// distance to the others (Hoeffding 1948, for U-statistics of two arguments).
  public static func estimate(ofFeatures features: Tensor) -> ScoreEstimate? {
    let count = features.shape[0]
    guard count > 1 else { return nil }
    let cosines = features.matmul(features.transposed()).elements
    let means = (0..<count).map { row -> Double in
      let sum = (0..<count).filter { $0 != row }.reduce(0.0) {
        $0 + 1 - Double(cosines[row * count + $1])
      }
      return sum / Double(count - 1)
    }
    return ScoreEstimate(means).map {
      ScoreEstimate(mean: $0.mean, standardError: 2 * $0.standardError)
    }
  }
}
