import Tensors
import Testing

@testable import DiffusionPolicies

@Suite struct EpisodesTests {
  @Test func episodesKeepAllTheirParts() throws {
    let all = try Demonstrations(contentsOf: DemonstrationGoldens.path("dppo.npz"))
    let some = all.episodes([3, 1])
    #expect(some.lengths == [9, 3] && some.stepCount == 12)
    #expect(some.states == Array(all.states[(14 * 3)...] + all.states[(7 * 3)..<(10 * 3)]))
    #expect(some.actions == Array(all.actions[(14 * 2)...] + all.actions[(7 * 2)..<(10 * 2)]))
    #expect(some.rewards == Array(all.rewards[14...] + all.rewards[7..<10]))
    #expect(some.terminals == Array(all.terminals[14...] + all.terminals[7..<10]))
    #expect(some.returns == [all.returns[3], all.returns[1]])
    #expect(all.prefix(episodes: 2).lengths == [7, 3])
    #expect(all.prefix(episodes: 2).actions == Array(all.actions[..<20]))
    #expect(all.prefix(episodes: 9).states == all.states)
  }

  @Test func splitsByEpisode() {
    let all = DemonstrationGoldens.counting(lengths: [Int](repeating: 2, count: 20))
    func split(_ fraction: Double, _ seed: UInt64 = 1) -> ([Float], [Float]) {
      var random = RandomStream(seed: seed)
      let (training, validation) = all.split(validationFraction: fraction, random: &random)
      return (training.states, validation.states)
    }
    let (training, validation) = split(0.2)
    #expect((training.count, validation.count) == (32, 8))
    #expect((training + validation).sorted() == all.states)
    #expect(training == training.sorted() && validation == validation.sorted())
    // Whole episodes: an even step and the one after it.
    #expect(validation.indices.allSatisfy { Int(validation[$0]) % 2 == $0 % 2 })
    #expect(split(0.2) == (training, validation))
    #expect(split(0.2, 2).1 != validation)
    #expect(split(0).1.isEmpty && split(0).0 == all.states)
    #expect(split(0.001).1.count == 2 && split(0.999).0.count == 2)
  }
}
