import Foundation

/// The beta distribution on 0 ... 1, whose density is x^(alpha - 1) (1 - x)^(beta - 1), scaled.
struct BetaDistribution {
  let alpha: Double
  let beta: Double

  /// The x below which the given fraction lies.
  func quantile(_ fraction: Double) -> Double {
    guard fraction > 0 else { return 0 }
    guard fraction < 1 else { return 1 }
    var (low, high) = (0.0, 1.0)
    // Halving reaches the last bit, also where the density is infinite.
    while true {
      let middle = 0.5 * (low + high)
      guard middle > low, middle < high else { return middle }
      if fractionBelow(middle) < fraction { low = middle } else { high = middle }
    }
  }

  /// The fraction below x: the regularized incomplete beta function.
  func fractionBelow(_ x: Double) -> Double {
    guard x > 0 else { return 0 }
    guard x < 1 else { return 1 }
    // The continued fraction converges fast on one side of the mean.
    guard x <= (alpha + 1) / (alpha + beta + 2) else {
      return 1 - BetaDistribution(alpha: beta, beta: alpha).fractionBelow(1 - x)
    }
    let logFactor =
      lgamma(alpha + beta) - lgamma(alpha) - lgamma(beta) + alpha * log(x) + beta * log1p(-x)
    return exp(logFactor) / alpha / continuedFraction(x)
  }

  /// 1 + d_1 / (1 + d_2 / (1 + ...)) of DLMF, equation 8.17.22, from its far end.
  private func continuedFraction(_ x: Double) -> Double {
    var result = 1.0
    for index in stride(from: 60, through: 1, by: -1) {
      let m = Double(index / 2)
      let numerator =
        index % 2 == 0
        ? m * (beta - m) * x / ((alpha + 2 * m - 1) * (alpha + 2 * m))
        : -(alpha + m) * (alpha + beta + m) * x / ((alpha + 2 * m) * (alpha + 2 * m + 1))
      result = 1 + numerator / result
    }
    return result
  }
}
