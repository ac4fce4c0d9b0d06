import Tensors

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
