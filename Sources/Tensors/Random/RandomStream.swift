import CKernels

/// Something that draws tensors of random numbers.
public protocol RandomSource {
  /// Uniform draws in `range`, the upper bound excluded.
  mutating func uniform(_ shape: [Int], in range: Range<Float>) -> Tensor
  /// Draws from a normal distribution.
  mutating func normal(_ shape: [Int], mean: Float, standardDeviation: Float) -> Tensor
}

extension RandomStream: RandomSource {}

extension TorchRandom: RandomSource {
  /// As `torch.empty(shape).uniform_(lower, upper)`, but never the upper bound, to which PyTorch's
  /// draws may round.
  public mutating func uniform(_ shape: [Int], in range: Range<Float>) -> Tensor {
    uniform(shape).spread(over: range)
  }

  /// As `torch.empty(shape).normal_(mean, standardDeviation)`.
  public mutating func normal(
    _ shape: [Int], mean: Float, standardDeviation: Float
  ) -> Tensor {
    normal(shape).scaled(by: standardDeviation, plus: mean)
  }
}

/// A stream of random numbers named by a seed, a purpose and an index.
///
/// The numbers are a function of the name and of the position in the stream alone (Philox4x32-10,
/// Salmon et al. 2011), so that an environment's or an image's draws do not depend on scheduling.
/// Streams with different names are independent. A stream is a small value: copy it to draw the
/// same numbers again, encode it to resume.
public struct RandomStream: RandomNumberGenerator, Sendable, Codable, Hashable {
  private let key: UInt64
  private let index: UInt64
  /// Blocks of four words drawn so far.
  private var position: UInt64 = 0
  /// The second half of the last block, for `next()`.
  private var leftover: UInt64?

  private init(key: UInt64, index: UInt64) {
    self.key = key
    self.index = index
  }

  /// The stream of the given name.
  public init(seed: UInt64, purpose: String = "", index: Int = 0) {
    self.init(
      key: Self.hash(purpose.utf8, into: Self.mixed(seed)),
      index: UInt64(bitPattern: Int64(index)))
  }

  /// A stream of its own for each part of this stream's work. Does not advance this stream.
  public func split(_ part: Int, purpose: String = "") -> RandomStream {
    var hash = Self.mixed(key ^ Self.mixed(index))
    hash = Self.hash(purpose.utf8, into: hash)
    return RandomStream(key: hash, index: UInt64(bitPattern: Int64(part)))
  }

  /// The finalizer of SplitMix64 (Steele, Lea and Flood 2014): every bit depends on every other.
  private static func mixed(_ value: UInt64) -> UInt64 {
    var z = value &+ 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  private static func hash(_ bytes: some Sequence<UInt8>, into start: UInt64) -> UInt64 {
    bytes.reduce(start) { mixed($0 ^ UInt64($1)) }
  }

  /// 64 random bits.
  public mutating func next() -> UInt64 {
    if let bits = leftover {
      leftover = nil
      return bits
    }
    var words: (UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0)
    withUnsafeMutableBytes(of: &words) {
      attune_philox_block(key, index, position, $0.bindMemory(to: UInt32.self).baseAddress)
    }
    position += 1
    leftover = UInt64(words.3) << 32 | UInt64(words.2)
    return UInt64(words.1) << 32 | UInt64(words.0)
  }

  private mutating func fill(
    _ shape: [Int], _ kernel: (UInt64, UInt64, UInt64, Int, UnsafeMutablePointer<Float>?) -> Void
  ) -> Tensor {
    leftover = nil
    let first = position
    let blockCount = (Shapes.elementCount(shape) + 3) / 4
    position += UInt64(blockCount)
    return Tensor(shape: shape) { result in
      guard let elements = result.baseAddress, !result.isEmpty else { return }
      let wholeBlocks = result.count / 4
      Loops.overRows(wholeBlocks, width: 4) { range in
        kernel(
          key, index, first + UInt64(range.lowerBound), range.count * 4,
          elements + range.lowerBound * 4)
      }
      if wholeBlocks < blockCount {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: 4) { block in
          kernel(key, index, first + UInt64(wholeBlocks), 4, block.baseAddress)
          for position in (wholeBlocks * 4)..<result.count {
            result[position] = block[position - wholeBlocks * 4]
          }
        }
      }
    }
  }

  /// Uniform draws in `range`, the upper bound excluded.
  public mutating func uniform(_ shape: [Int], in range: Range<Float> = 0..<1) -> Tensor {
    let unit = fill(shape, attune_philox_uniform)
    if range == 0..<1 { return unit }
    return unit.spread(over: range)
  }

  /// Draws from a normal distribution.
  public mutating func normal(
    _ shape: [Int], mean: Float = 0, standardDeviation: Float = 1
  ) -> Tensor {
    let standard = fill(shape, attune_philox_normal)
    if mean == 0 && standardDeviation == 1 { return standard }
    return standard.scaled(by: standardDeviation, plus: mean)
  }

  /// The numbers 0..<count in random order.
  public mutating func permutation(_ count: Int) -> [Int] {
    Array(0..<count).shuffled(using: &self)
  }

  /// A number below `bound`.
  public mutating func integer(below bound: Int) -> Int {
    Int.random(in: 0..<bound, using: &self)
  }

  /// Indices drawn with replacement, index i with probability proportional to `weights[i]`.
  public mutating func choice(_ count: Int, weights: [Double]) -> [Int] {
    precondition(
      weights.allSatisfy { $0 >= 0 && $0.isFinite } && weights.contains { $0 > 0 },
      "weights must be finite, not negative and not all zero")
    var total = 0.0
    let cumulative = weights.map {
      total += $0
      return total
    }
    return (0..<count).map { _ in
      let draw = Double.random(in: 0..<total, using: &self)
      // The first index whose cumulative weight exceeds the draw.
      var (low, high) = (0, cumulative.count - 1)
      while low < high {
        let middle = (low + high) / 2
        if cumulative[middle] > draw { high = middle } else { low = middle + 1 }
      }
      return low
    }
  }

  /// Distinct indices below `bound`, in random order.
  public mutating func choiceWithoutReplacement(_ count: Int, below bound: Int) -> [Int] {
    precondition(count <= bound, "cannot choose \(count) of \(bound) without replacement")
    var indices = Array(0..<bound)
    for position in 0..<count {
      indices.swapAt(position, Int.random(in: position..<bound, using: &self))
    }
    return Array(indices[..<count])
  }
}

extension Tensor {
  /// Draws from 0..<1 taken to another range. Not recorded.
  ///
  /// The sum can round up to the upper bound, which does not belong to the range: the number below
  /// it stands for those.
  func spread(over range: Range<Float>) -> Tensor {
    scaled(by: range.upperBound - range.lowerBound, plus: range.lowerBound)
      .clamped(to: range.lowerBound, max(range.lowerBound, range.upperBound.nextDown))
  }
}
