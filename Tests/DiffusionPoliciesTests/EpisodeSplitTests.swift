import Tensors
import Testing

@testable import DiffusionPolicies

/// Short episodes and parts without episodes.
@Suite struct EpisodeSplitTests {
  private func split(
    _ lengths: [Int], chunkLength: Int, padding: ChunkPadding = .none, fraction: Double,
    named: [Int] = []
  ) throws -> EpisodeSplit {
    var all = DemonstrationGoldens.counting(lengths: lengths)
    all.validationEpisodes = named
    var random = RandomStream(seed: 1)
    return try EpisodeSplit(
      all, chunkLength: chunkLength, padding: padding, validationFraction: fraction,
      random: &random)
  }

  /// Wherever the short ones would fall, each part has episodes that are long enough.
  @Test func shortEpisodesAreLeftOutOfBothParts() throws {
    for short in 0..<4 {
      var lengths = [6, 7, 8, 9]
      lengths[short] = 3
      let split = try split(lengths, chunkLength: 4, fraction: 0.25)
      #expect((split.training.lengths.count, split.validation.lengths.count) == (2, 1))
      let kept = (split.training.lengths + split.validation.lengths).sorted()
      #expect(kept == lengths.filter { $0 > 3 })
      #expect(split.notes.count == 1)
      #expect(split.notes[0].contains("1 of 4 episodes shorter than the 4 steps"))
    }
    let padded = try split(
      [3, 6, 2], chunkLength: 4, padding: ChunkPadding(after: 1), fraction: 0.5)
    #expect((padded.training.lengths + padded.validation.lengths).sorted() == [3, 6])
  }

  @Test func nothingHeldOutIsSaid() throws {
    for lengths in [[9], [2, 9, 3]] {
      let split = try split(lengths, chunkLength: 4, fraction: 0.2)
      #expect(split.training.lengths == [9] && split.validation.lengths.isEmpty)
      #expect(split.notes.contains { $0.contains("nothing is held out") })
    }
    #expect(try split([9], chunkLength: 4, fraction: 0).notes.isEmpty)
    let named = try split([9, 2, 8], chunkLength: 4, fraction: 0, named: [1])
    #expect(named.training.lengths == [9, 8] && named.validation.lengths.isEmpty)
    #expect(named.notes.contains { $0.contains("no episode for validation is long enough") })
  }

  @Test func nothingToTrainOnIsRefused() {
    #expect(throws: DemonstrationError.tooShort(longestEpisode: 3, chunkLength: 4, padding: .none))
    { try split([2, 3], chunkLength: 4, fraction: 0.5) }
    #expect(throws: DemonstrationError.tooShort(longestEpisode: 3, chunkLength: 4, padding: .none))
    { try split([3, 9], chunkLength: 4, fraction: 0, named: [1]) }
  }
}
