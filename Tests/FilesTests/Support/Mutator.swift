/// A small generator with a seed, so that a failing mutation can be made again.
struct SplitMix: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// Damages files the way that accidents and attackers do.
struct Mutator {
  private var random: SplitMix

  init(seed: UInt64) { random = SplitMix(seed: seed) }

  /// A copy with one to four things wrong with it; `others` lend pieces.
  mutating func mutated(_ original: [UInt8], others: [[UInt8]]) -> [UInt8] {
    var bytes = original
    for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
      switch Int.random(in: 0..<8, using: &random) {
      case 0, 1: flipBit(&bytes)
      case 2: bytes[index(bytes)] = UInt8.random(in: 0...255, using: &random)
      case 3, 4: setExtreme(&bytes)
      case 5: splice(&bytes, from: others.randomElement(using: &random) ?? original)
      case 6: removeOrRepeat(&bytes)
      default:
        // Truncation hides what else is wrong; keep it rare.
        if Int.random(in: 0..<4, using: &random) == 0 { bytes = Array(bytes[..<index(bytes)]) }
      }
    }
    return bytes
  }

  private mutating func index(_ bytes: [UInt8]) -> Int {
    // Formats keep their structure at the ends.
    switch Int.random(in: 0..<4, using: &random) {
    case 0: Int.random(in: 0..<min(bytes.count, 256), using: &random)
    case 1: Int.random(in: max(0, bytes.count - 256)..<bytes.count, using: &random)
    default: Int.random(in: 0..<bytes.count, using: &random)
    }
  }

  private mutating func flipBit(_ bytes: inout [UInt8]) {
    bytes[index(bytes)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
  }

  /// Writes a number that arithmetic stumbles over, in binary or as decimal digits.
  private mutating func setExtreme(_ bytes: inout [UInt8]) {
    let extremes: [UInt64] = [
      0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF,
      0x1_0000_0000, 0x7FFF_FFFF_FFFF_FFFF, 0x8000_0000_0000_0000, 0xFFFF_FFFF_FFFF_FFFF,
    ]
    let number = extremes.randomElement(using: &random) ?? 0
    let start = index(bytes)
    if Int.random(in: 0..<4, using: &random) == 0,
      let digit = bytes[start...].firstIndex(where: { (0x30...0x39).contains($0) })
    {
      bytes.replaceSubrange(digit...digit, with: Array(String(number).utf8))
      return
    }
    let width = [1, 2, 4, 8].randomElement(using: &random) ?? 8
    for offset in 0..<width where start + offset < bytes.count {
      bytes[start + offset] = UInt8(truncatingIfNeeded: number >> UInt64(8 * offset))
    }
  }

  private mutating func splice(_ bytes: inout [UInt8], from other: [UInt8]) {
    guard !other.isEmpty else { return }
    let start = index(other)
    let piece = other[start..<min(other.count, start + Int.random(in: 1...64, using: &random))]
    let place = index(bytes)
    bytes.replaceSubrange(place..<min(bytes.count, place + piece.count), with: piece)
  }

  private mutating func removeOrRepeat(_ bytes: inout [UInt8]) {
    let start = index(bytes)
    let end = min(bytes.count, start + Int.random(in: 1...32, using: &random))
    if Bool.random(using: &random) {
      bytes.removeSubrange(start..<end)
    } else {
      bytes.insert(contentsOf: bytes[start..<end], at: start)
    }
  }
}
