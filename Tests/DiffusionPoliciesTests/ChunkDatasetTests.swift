import Files
import Tensors
import Testing

@testable import DiffusionPolicies

@Suite struct ChunkDatasetTests {
  /// The same chunks, in the same order, as the reference's StitchedSequenceDataset.
  @Test(arguments: [(1, 4, 100), (3, 4, 100), (2, 1, 100), (2, 4, 3)])
  func agreesWithTheReference(_ history: Int, _ chunk: Int, _ episodes: Int) throws {
    let demonstrations = try Demonstrations(
      contentsOf: DemonstrationGoldens.path("dppo.npz"), episodeLimit: episodes)
    let dataset = try ChunkDataset(
      demonstrations, normalization: nil, historyLength: history, chunkLength: chunk)
    let golden = try NPZFile(path: DemonstrationGoldens.path("chunks.npz"))
    let name = "\(history)-\(chunk)-\(episodes)"
    // (first step in all episodes, steps before it in its own)
    let indices = try golden.integers(named: "\(name)-indices")
    #expect(2 * dataset.count == indices.count && dataset.count > 0)
    for index in 0..<dataset.count {
      let (episode, step) = dataset.position(of: index)
      #expect(demonstrations.lengths[..<episode].reduce(step, +) == indices[2 * index])
      #expect(step == indices[2 * index + 1])
    }
    let batch = dataset.batch(Array(0..<dataset.count))
    let (states, actions) = (
      try golden.tensor(named: "\(name)-states"), try golden.tensor(named: "\(name)-actions")
    )
    #expect(batch.observations.state.shape == states.shape && batch.chunks.shape == actions.shape)
    #expect(batch.observations.state.elements == states.elements)
    #expect(batch.chunks.elements == actions.elements)
  }

  @Test func normalizes() throws {
    let demonstrations = try Demonstrations(contentsOf: DemonstrationGoldens.path("dppo.npz"))
    let normalization = DemonstrationNormalization(of: demonstrations)
    let (raw, normalized) = (
      try ChunkDataset(
        demonstrations, normalization: nil, historyLength: 2, chunkLength: 3),
      try ChunkDataset(
        demonstrations, normalization: normalization, historyLength: 2, chunkLength: 3)
    )
    let (a, b) = (raw.batch([4, 9, 4]), normalized.batch([4, 9, 4]))
    #expect(
      b.observations.state.elements
        == normalization.observations.normalized(a.observations.state.elements))
    #expect(b.chunks.elements == normalization.actions.normalized(a.chunks.elements))
    #expect(b.chunks.elements.allSatisfy { abs($0) <= 1 })
  }

  /// Every chunk of two episodes against clamped steps.
  @Test(arguments: [(0, 0), (2, 0), (0, 3), (2, 3), (1, 1)])
  func padsByRepeating(_ before: Int, _ after: Int) throws {
    let lengths = [5, 2, 6]
    let dataset = try ChunkDataset(
      DemonstrationGoldens.counting(lengths: lengths), normalization: nil, historyLength: 3,
      chunkLength: 4, padding: ChunkPadding(before: before, after: after))
    var histories: [Float] = []
    var chunks: [Float] = []
    var counts: [Int] = []
    var first = 0
    for length in lengths {
      let starts = Array(-before..<max(length - 4 + after + 1, -before))
      counts.append(starts.count)
      for start in starts {
        func step(_ offset: Int) -> Float {
          Float(first + min(max(start + offset, 0), length - 1))
        }
        histories += (-2...0).map(step)
        chunks += (0..<4).map(step)
      }
      first += length
    }
    #expect(dataset.chunkCounts == counts && dataset.count == counts.reduce(0, +))
    let batch = dataset.batch(Array(0..<dataset.count))
    #expect(batch.observations.state.elements == histories && batch.chunks.elements == chunks)
    #expect(dataset.position(of: 0) == (episode: 0, step: -before))
  }

  @Test func shortEpisodesHaveNoChunks() throws {
    let short = DemonstrationGoldens.counting(lengths: [2, 3, 2, 2])
    let dataset = try ChunkDataset(short, normalization: nil, historyLength: 1, chunkLength: 3)
    #expect(dataset.count == 1 && dataset.chunkCounts == [0, 1, 0, 0])
    #expect(dataset.position(of: 0) == (episode: 1, step: 0))
    #expect(dataset.batch([0]).chunks.elements == [2, 3, 4])
    #expect(
      throws: DemonstrationError.tooShort(longestEpisode: 3, chunkLength: 4, padding: .none)
    ) { try ChunkDataset(short, normalization: nil, historyLength: 1, chunkLength: 4) }
  }

  @Test func batchesAreMadeFromAnyThread() throws {
    let dataset = try ChunkDataset(
      DemonstrationGoldens.counting(lengths: [300, 200]), normalization: nil, historyLength: 2,
      chunkLength: 16)
    let batches = (0..<64).map { batch in (0..<50).map { ($0 * 7 + batch * 13) % dataset.count } }
    let expected = batches.map { dataset.batch($0).chunks.elements }
    var found = [[Float]](repeating: [], count: batches.count)
    found.withUnsafeMutableBufferPointer { found in
      WorkerPool.shared.forEach(batches.count) { index in
        found[index] = dataset.batch(batches[index]).chunks.elements
      }
    }
    #expect(found == expected)
  }

  @Test func cutsPushT() throws {
    guard let path = DemonstrationGoldens.pushT else { return }
    let demonstrations = try Demonstrations(contentsOf: path)
    let dataset = try ChunkDataset(
      demonstrations, normalization: DemonstrationNormalization(of: demonstrations),
      historyLength: 2, chunkLength: 16, padding: ChunkPadding(after: 7))
    #expect(dataset.count == 25_650 - 206 * 8)
    var order = try BatchOrder(dataset, batchSize: 256, random: RandomStream(seed: 0))
    let batch = dataset.batch(order.next())
    #expect(batch.observations.state.shape == [256, 2, 5] && batch.chunks.shape == [256, 16, 2])
    let values = batch.observations.state.elements + batch.chunks.elements
    #expect(values.allSatisfy { abs($0) <= 1 })
  }
}
