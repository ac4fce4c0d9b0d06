import Foundation

/// How often a chunk is drawn.
public enum ChunkWeighting: Equatable, Sendable, Codable {
  /// Every chunk once an epoch.
  case uniform
  /// Episodes by their return, with replacement, and any chunk of the episode: episode i with
  /// probability exp(z_i / temperature) / sum_j exp(z_j / temperature), where z are the returns
  /// with mean 0 and variance 1.
  ///
  /// After the return weighting of Hong et al. (arXiv:2306.13085), standardized so that one
  /// temperature serves tasks of any reward. A low one prefers the best episodes; a high one makes
  /// all episodes alike, short ones too.
  case episodeReturn(temperature: Double)

  /// Probabilities of episodes by their returns; those that are not `drawable` have none and do not
  /// count towards mean and variance.
  static func probabilities(
    returns: [Double], temperature: Double, drawable: [Bool]
  ) -> [Double] {
    precondition(temperature > 0, "a temperature of \(temperature)")
    let drawn = zip(returns, drawable).filter { $0.1 }.map { $0.0 }
    let mean = drawn.reduce(0, +) / Double(drawn.count)
    let variance = drawn.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(drawn.count)
    let deviation = variance.squareRoot()
    // Returns that are equal up to rounding say nothing.
    let scale = deviation > 1e-9 * max(abs(mean), 1e-30) ? 1 / (deviation * temperature) : 0
    let best = drawn.max() ?? 0
    // Differences to the best one: the largest exponent is 0.
    let weights = zip(returns, drawable).map { value, isDrawable in
      isDrawable ? exp((value - best) * scale) : 0
    }
    let total = weights.reduce(0, +)
    return weights.map { $0 / total }
  }
}
