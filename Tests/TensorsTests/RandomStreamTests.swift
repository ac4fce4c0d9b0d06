import CKernels
import Foundation
import Testing

@testable import Tensors

@Suite struct RandomStreamTests {
  /// The known answers that come with the Philox paper's code (philox4x32, 10 rounds).
  @Test func philoxKnownAnswers() {
    func block(_ key: UInt64, _ stream: UInt64, _ position: UInt64) -> [UInt32] {
      var words = [UInt32](repeating: 0, count: 4)
      attune_philox_block(key, stream, position, &words)
      return words
    }
    #expect(block(0, 0, 0) == [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8])
    let ones = UInt64.max
    #expect(block(ones, ones, ones) == [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd])
    #expect(
      block(0x299f_31d0_a409_3822, 0x0370_7344_1319_8a2e, 0x85a3_08d3_243f_6a88)
        == [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1])
  }

  @Test func sameNameSameNumbers() {
    var a = RandomStream(seed: 5, purpose: "noise", index: 3)
    var b = RandomStream(seed: 5, purpose: "noise", index: 3)
    #expect(a.normal([100]).elements == b.normal([100]).elements)
    for var other in [
      RandomStream(seed: 6, purpose: "noise", index: 3),
      RandomStream(seed: 5, purpose: "reset", index: 3),
      RandomStream(seed: 5, purpose: "noise", index: 4), a.split(0), a.split(1),
      a.split(0, purpose: "x"),
    ] {
      var again = RandomStream(seed: 5, purpose: "noise", index: 3)
      #expect(other.normal([10]).elements != again.normal([10]).elements)
    }
  }

  @Test func drawsDoNotDependOnThePiecesBefore() {
    var a = RandomStream(seed: 1)
    var b = RandomStream(seed: 1)
    _ = a.uniform([100_000])
    _ = b.uniform([100_000])
    #expect(a.normal([7]).elements == b.normal([7]).elements)
    let saved = a
    let next = a.uniform([5]).elements
    var restored = saved
    #expect(restored.uniform([5]).elements == next)
  }

  @Test func survivesCoding() throws {
    var stream = RandomStream(seed: 9, purpose: "resume")
    _ = stream.next()
    _ = stream.normal([3])
    _ = stream.next()
    var copy = try JSONDecoder().decode(RandomStream.self, from: JSONEncoder().encode(stream))
    #expect((0..<5).map { _ in copy.next() } == (0..<5).map { _ in stream.next() })
  }

  @Test func moments() {
    var stream = RandomStream(seed: 2)
    let count = 1_000_000
    let uniform = stream.uniform([count], in: -1..<3).elements.map(Double.init)
    let normal = stream.normal([count], mean: 1, standardDeviation: 2).elements.map(Double.init)
    func moments(_ x: [Double]) -> (mean: Double, variance: Double, kurtosis: Double) {
      let mean = x.reduce(0, +) / Double(x.count)
      let variance = x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(x.count)
      let fourth = x.reduce(0) { $0 + pow($1 - mean, 4) } / Double(x.count)
      return (mean, variance, fourth / (variance * variance))
    }
    // Five standard errors of a million draws.
    let u = moments(uniform)
    #expect(abs(u.mean - 1) < 0.006 && abs(u.variance - 4.0 / 3) < 0.006)
    #expect(uniform.allSatisfy { (-1..<3).contains($0) })
    let n = moments(normal)
    #expect(abs(n.mean - 1) < 0.01 && abs(n.variance - 4) < 0.03 && abs(n.kurtosis - 3) < 0.03)
    // Neighbours are uncorrelated, also the two of a Box-Muller pair.
    for lag in 1...4 {
      let correlation =
        zip(normal, normal.dropFirst(lag)).reduce(0) { $0 + ($1.0 - 1) * ($1.1 - 1) }
        / (4 * Double(count - lag))
      #expect(abs(correlation) < 0.005)
    }
  }

  /// Half of the draws would round up to the bound here.
  @Test func theUpperBoundIsNotDrawn() {
    let range: Range<Float> = 0x1p23..<(0x1p23 + 1)
    var sources: [any RandomSource] = [RandomStream(seed: 4), TorchRandom(seed: 4)]
    for index in sources.indices {
      let draws = sources[index].uniform([1000], in: range)
      #expect(draws.elements.allSatisfy { $0 == 0x1p23 })
    }
  }

  /// All other draws are those of the formula, to the last bit.
  @Test func rangesOnlyLoseTheirUpperBound() {
    for range: Range<Float> in [-1..<1, 1..<2, 0..<0.1, -3..<(-2), 5..<5] {
      var (stream, same) = (RandomStream(seed: 6), RandomStream(seed: 6))
      let plain = same.uniform([10_000])
        .scaled(by: range.upperBound - range.lowerBound, plus: range.lowerBound)
      let draws = stream.uniform([10_000], in: range)
      for (draw, value) in zip(draws.elements, plain.elements) where draw != value {
        #expect(value == range.upperBound && draw == range.upperBound.nextDown)
      }
    }
  }

  @Test func permutationsAndChoices() {
    var stream = RandomStream(seed: 3)
    #expect(stream.permutation(50).sorted() == Array(0..<50))
    #expect(stream.permutation(50) != stream.permutation(50))
    let chosen = stream.choiceWithoutReplacement(20, below: 30)
    #expect(Set(chosen).count == 20 && chosen.allSatisfy { (0..<30).contains($0) })
    let draws = stream.choice(100_000, weights: [1, 0, 3])
    let fraction = Double(draws.count { $0 == 2 }) / 100_000
    #expect(!draws.contains(1) && abs(fraction - 0.75) < 0.01)
  }
}
