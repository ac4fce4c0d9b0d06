import Foundation
import Tensors

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
    let std = variance.squareRoot()
    // Returns that are equal up to rounding say nothing.
    let scale = std > 1e-9 * max(abs(mean), 1e-30) ? 1 / (std * temperature) : 0
    let best = drawn.max() ?? 0
    // Differences to the best one: the largest exponent is 0.
    let weights = zip(returns, drawable).map { value, isDrawable in
      isDrawable ? exp((value - best) * scale) : 0
    }
    let total = weights.reduce(0, +)
    return weights.map { $0 / total }
  }
}

/// Which chunks each batch has, one batch after the other, for ever.
///
/// Batch n is a function of the arguments and n alone: encode the order, or keep `nextBatch`, to
/// resume exactly. An encoded order has no permutation in it.
public struct BatchOrder: Sendable, Codable {
  /// The number of chunks in an epoch.
  public let count: Int
  /// The number of chunks in a batch; the last one of an epoch without weights may be shorter.
  public let batchSize: Int
  /// The number of the batch that `next()` gives, from 0; set it to go elsewhere.
  public var nextBatch = 0
  /// Nil if every chunk is drawn once an epoch.
  private let episodes: WeightedEpisodes?
  private let random: RandomStream
  /// The permutation of an epoch that was asked for last.
  private var permutation: (epoch: Int, indices: [Int])?

  private enum CodingKeys: String, CodingKey {
    case count, batchSize, nextBatch, episodes, random
  }

  /// Orders the chunks of a dataset.
  ///
  /// - Parameters:
  ///   - dataset: has the chunks.
  ///   - batchSize: chunks in a batch.
  ///   - weighting: how often each is drawn.
  ///   - random: decides everything; it is split, not advanced.
  /// - Throws: `DemonstrationError.noRewards` if returns are to be weighted that are not known.
  public init(
    _ dataset: ChunkDataset, batchSize: Int, weighting: ChunkWeighting = .uniform,
    random: RandomStream
  ) throws(DemonstrationError) {
    precondition(batchSize > 0, "batches of \(batchSize)")
    count = dataset.count
    self.batchSize = batchSize
    self.random = random
    switch weighting {
    case .uniform: episodes = nil
    case .episodeReturn(let temperature):
      guard !dataset.returns.isEmpty else { throw .noRewards }
      let probabilities = ChunkWeighting.probabilities(
        returns: dataset.returns, temperature: temperature,
        drawable: dataset.chunkCounts.map { $0 > 0 })
      episodes = WeightedEpisodes(
        probabilities: probabilities, firstChunks: dataset.firstChunks,
        chunkCounts: dataset.chunkCounts)
    }
  }

  /// The number of batches in an epoch.
  public var batchesPerEpoch: Int { (count + batchSize - 1) / batchSize }

  /// The epoch that the next batch belongs to, from 0.
  public var epoch: Int { nextBatch / batchesPerEpoch }

  /// The chunks of the next batch.
  public mutating func next() -> [Int] {
    defer { nextBatch += 1 }
    if let episodes {
      var draws = random.split(nextBatch, purpose: "weighted batch")
      return episodes.draw(batchSize, random: &draws)
    }
    let start = nextBatch % batchesPerEpoch * batchSize
    return Array(indices(ofEpoch: epoch)[start..<min(start + batchSize, count)])
  }

  private mutating func indices(ofEpoch epoch: Int) -> [Int] {
    if let permutation, permutation.epoch == epoch { return permutation.indices }
    var draws = random.split(epoch, purpose: "epoch")
    let indices = draws.permutation(count)
    permutation = (epoch, indices)
    return indices
  }
}

/// Episodes to draw, and the chunks of each.
private struct WeightedEpisodes: Sendable, Codable {
  let probabilities: [Double]
  let firstChunks: [Int]
  let chunkCounts: [Int]

  func draw(_ count: Int, random: inout RandomStream) -> [Int] {
    random.choice(count, weights: probabilities).map { episode in
      firstChunks[episode] + random.integer(below: chunkCounts[episode])
    }
  }
}
