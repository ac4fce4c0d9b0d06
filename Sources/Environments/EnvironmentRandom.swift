import Glibc

/// The random numbers of one reset: a counter run through the SplitMix64 mixer.
///
/// Every draw is a function of (seed, number of the draw), so nothing has to be saved with it.
struct EnvironmentRandom {
  private let key: UInt64
  private var counter: UInt64 = 0

  init(seed: UInt64) { key = Self.mix(seed) }

  /// A seed that depends on all three numbers and is unrelated to those of nearby ones.
  static func seed(_ seed: UInt64, environment: Int, episode: Int) -> UInt64 {
    let first = mix(seed &+ 0x9e37_79b9_7f4a_7c15)
    let second = mix(first ^ UInt64(environment) &* 0xd1b5_4a32_d192_ed03)
    return mix(second ^ UInt64(episode) &* 0xaef1_7502_108e_f2d9)
  }

  mutating func nextWord() -> UInt64 {
    counter &+= 1
    return Self.mix(key &+ counter &* 0x9e37_79b9_7f4a_7c15)
  }

  /// Uniform in [0, 1).
  mutating func nextUniform() -> Double { Double(nextWord() >> 11) * 0x1p-53 }

  mutating func nextUniform(in range: Range<Double>) -> Double {
    range.lowerBound + (range.upperBound - range.lowerBound) * nextUniform()
  }

  mutating func nextInteger(in range: Range<Int>) -> Int {
    range.lowerBound + Int(Double(range.count) * nextUniform())
  }

  /// Standard normal, by Box and Muller's formula.
  mutating func nextNormal() -> Double {
    let radius = (-2 * log(1 - nextUniform())).squareRoot()
    return radius * cos(2 * Double.pi * nextUniform())
  }

  private static func mix(_ word: UInt64) -> UInt64 {
    var z = word
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
