import Foundation
import Tensors
import Testing

@testable import DiffusionPolicies

@Suite struct BatchOrderTests {
  private func dataset(lengths: [Int], returns: [Float]? = nil) throws -> ChunkDataset {
    try ChunkDataset(
      DemonstrationGoldens.counting(lengths: lengths, returns: returns), normalization: nil,
      historyLength: 1, chunkLength: 3)
  }

  @Test func everyChunkOnceAnEpoch() throws {
    let dataset = try dataset(lengths: [8, 2, 9])
    var order = try BatchOrder(dataset, batchSize: 5, random: RandomStream(seed: 1))
    #expect(order.count == 13 && order.batchesPerEpoch == 3)
    var epochs: [[Int]] = []
    for epoch in 0..<3 {
      #expect(order.epoch == epoch)
      let batches = (0..<3).map { _ in order.next() }
      #expect(batches.map(\.count) == [5, 5, 3])
      epochs.append(batches.flatMap(\.self))
      #expect(epochs[epoch].sorted() == Array(0..<13))
    }
    #expect(Set(epochs).count == 3 && !epochs.contains(Array(0..<13)))
    var same = try BatchOrder(dataset, batchSize: 5, random: RandomStream(seed: 1))
    var other = try BatchOrder(dataset, batchSize: 5, random: RandomStream(seed: 2))
    let firstBatch = Array(epochs[0][..<5])
    #expect(same.next() == firstBatch)
    #expect(other.next() != firstBatch)
  }

  @Test(arguments: [ChunkWeighting.uniform, .episodeReturn(temperature: 0.5)])
  func resumesExactly(_ weighting: ChunkWeighting) throws {
    let dataset = try dataset(lengths: [8, 5, 9], returns: [1, 2, 4])
    let start = try BatchOrder(
      dataset, batchSize: 4, weighting: weighting, random: RandomStream(seed: 3))
    var whole = start
    let batches = (0..<12).map { _ in whole.next() }
    for position in 0..<12 {
      var interrupted = start
      for _ in 0..<position { _ = interrupted.next() }
      let encoded = try JSONEncoder().encode(interrupted)
      var resumed = try JSONDecoder().decode(BatchOrder.self, from: encoded)
      #expect((position..<12).map { _ in resumed.next() } == Array(batches[position...]))
      var moved = start
      moved.nextBatch = position
      #expect(moved.next() == batches[position])
    }
  }

  /// softmax of (-sqrt(3/2), 0, sqrt(3/2)) / temperature.
  @Test func weightsAreSoftmaxOfStandardizedReturns() {
    let z = (1.5).squareRoot()
    for temperature in [0.5, 2] {
      let weights = [-z, 0, z].map { exp($0 / temperature) }
      let expected = weights.map { $0 / weights.reduce(0, +) }
      for (scale, offset) in [(1.0, 0.0), (1e6, -5e6)] {
        // The second episode is too short: neither drawn nor counted.
        let found = ChunkWeighting.probabilities(
          returns: [10, 999, 20, 30].map { $0 * scale + offset }, temperature: temperature,
          drawable: [true, false, true, true])
        #expect(found.count == 4 && found[1] == 0)
        for (a, b) in zip([found[0], found[2], found[3]], expected) { #expect(abs(a - b) <= 1e-9) }
      }
    }
    let equal = ChunkWeighting.probabilities(
      returns: [0.1, 0.1, 0.1], temperature: 1e-3, drawable: [true, true, true])
    #expect(equal.allSatisfy { abs($0 - 1 / 3) <= 1e-12 })
    let sharp = ChunkWeighting.probabilities(
      returns: [1, 2, 3], temperature: 1e-6, drawable: [true, true, true])
    #expect(sharp == [0, 0, 1])
  }

  @Test func drawsByWeight() throws {
    let dataset = try dataset(lengths: [12, 2, 4, 7], returns: [10, 999, 20, 30])
    var order = try BatchOrder(
      dataset, batchSize: 500, weighting: .episodeReturn(temperature: 1),
      random: RandomStream(seed: 4))
    var counts = [Int](repeating: 0, count: dataset.count)
    for _ in 0..<100 { for index in order.next() { counts[index] += 1 } }
    let probabilities = ChunkWeighting.probabilities(
      returns: dataset.returns, temperature: 1, drawable: [true, false, true, true])
    for index in 0..<dataset.count {
      let episode = dataset.position(of: index).episode
      let mean = 50_000 * probabilities[episode] / Double(dataset.chunkCounts[episode])
      // Five standard deviations of a Poisson count.
      #expect(abs(Double(counts[index]) - mean) <= 5 * mean.squareRoot())
    }
  }

  @Test func unknownReturnsAreNotWeighted() throws {
    let dataset = try dataset(lengths: [4, 5])
    #expect(throws: DemonstrationError.noRewards) {
      try BatchOrder(
        dataset, batchSize: 2, weighting: .episodeReturn(temperature: 1),
        random: RandomStream(seed: 0))
    }
  }
}
