import CKernels
import Glibc

/// Draws the same float32 numbers as PyTorch's CPU generator, for seeds that others have published.
///
/// The generator is the Mersenne Twister MT19937 (Matsumoto and Nishimura 1998), seeded with the
/// low 32 bits. PyTorch has two normal transformations: below 16 elements one by one in double
/// precision, from 16 on sixteen at a time in single precision.
public struct TorchRandom: Sendable {
  private var state = [UInt32](repeating: 0, count: 624)
  private var position = 624
  /// The second of a pair of normal draws, kept between calls as PyTorch does.
  private var nextNormal: Double?

  /// The generator after `torch.manual_seed(seed)`.
  public init(seed: UInt64) {
    state[0] = UInt32(truncatingIfNeeded: seed)
    for index in 1..<624 {
      let previous = state[index - 1]
      state[index] = 1_812_433_253 &* (previous ^ (previous >> 30)) &+ UInt32(index)
    }
  }

  private mutating func refill() {
    for index in 0..<624 {
      let bits = (state[index] & 0x8000_0000) | (state[(index + 1) % 624] & 0x7fff_ffff)
      let twist: UInt32 = bits & 1 == 0 ? 0 : 0x9908_b0df
      state[index] = state[(index + 397) % 624] ^ (bits >> 1) ^ twist
    }
    position = 0
  }

  private mutating func next32() -> UInt32 {
    if position == 624 { refill() }
    var bits = state[position]
    position += 1
    bits ^= bits >> 11
    bits ^= (bits << 7) & 0x9d2c_5680
    bits ^= (bits << 15) & 0xefc6_0000
    return bits ^ (bits >> 18)
  }

  private mutating func nextUniform() -> Float { Float(next32() & 0xff_ffff) * 0x1p-24 }

  private mutating func nextUniformDouble() -> Double {
    let high = UInt64(next32())
    let bits = high << 32 | UInt64(next32())
    return Double(bits & ((1 << 53) - 1)) * 0x1p-53
  }

  /// As `torch.rand(shape)`.
  public mutating func uniform(_ shape: [Int]) -> Tensor {
    Tensor(shape: shape) { result in
      for index in result.indices { result[index] = nextUniform() }
    }
  }

  /// As `torch.randn(shape)`.
  public mutating func normal(_ shape: [Int]) -> Tensor {
    Tensor(shape: shape) { result in
      if result.count < 16 {
        for index in result.indices { result[index] = Float(nextNormalDouble()) }
        return
      }
      for index in result.indices { result[index] = nextUniform() }
      let whole = result.count / 16 * 16
      attune_torch_normal(whole, result.baseAddress)
      if whole < result.count {
        // The last sixteen are drawn anew, over what was there.
        let last = result.count - 16
        for index in last..<result.count { result[index] = nextUniform() }
        attune_torch_normal(16, result.baseAddress! + last)
      }
    }
  }

  private mutating func nextNormalDouble() -> Double {
    if let value = nextNormal {
      nextNormal = nil
      return value
    }
    let angle = 2 * Double.pi * nextUniformDouble()
    let radius = (-2 * log1p(-nextUniformDouble())).squareRoot()
    nextNormal = radius * sin(angle)
    return radius * cos(angle)
  }
}
