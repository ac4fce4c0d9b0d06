import Foundation
import Testing

@testable import Tensors

/// What a recorded graph keeps of its operands, and what the walk back takes.
@Suite struct GradientMemoryTests {
  /// Makes an operand that nobody but `operation` refers to, and tells whether its elements are
  /// gone while the result is still to be walked back from.
  private static func drops(_ operation: (Tensor) -> Tensor) -> Bool {
    weak var storage: TensorStorage?
    let leaf = Tensor.ones([2, 3]).tracked()
    let result = {
      let operand = leaf * 2
      storage = operand.storage
      return operation(operand)
    }()
    return withExtendedLifetime(result) { result.node != nil && storage == nil }
  }

  @Test func sumsAndJoinsKeepShapesAlone() {
    let other = Tensor.ones([2, 3]).tracked()
    #expect(Self.drops { $0 + other })
    #expect(Self.drops { other + $0 })
    #expect(Self.drops { $0 - other })
    #expect(Self.drops { other - $0 })
    #expect(Self.drops { Tensor.concatenated([other, $0], along: 1) })
    #expect(Self.drops { Tensor.stacked([$0, other]) })
    #expect(Self.drops { Tensor.select(other.detached(), $0, other) })
    #expect(Self.drops { $0.expandingDimension(at: 0).broadcast(to: [4, 2, 3]) })
  }

  /// An operand is kept for the gradient of another, if that is wanted.
  @Test func productsKeepWhatTheirGradientsNeed() {
    let constant = Tensor.ones([2, 3])
    let weight = Tensor.ones([4, 3])
    #expect(Self.drops { $0 * constant })
    #expect(Self.drops { $0 / constant })
    #expect(Self.drops { $0.linear(weight: weight) })
    #expect(Self.drops { $0.matmul(weight.transposed()) })
    #expect(
      Self.drops {
        $0.reshaped(to: [1, 2, 3]).matmul(weight.transposed().reshaped(to: [1, 3, 4]))
      })
    #expect(
      Self.drops {
        $0.reshaped(to: [1, 1, 2, 3]).convolved2D(weight: .ones([4, 3, 3, 3]), padding: 1)
      })
    #expect(!Self.drops { $0 * constant.tracked() })
    #expect(!Self.drops { constant / $0 })
    #expect(!Self.drops { $0.linear(weight: weight.tracked()) })
  }

  /// Slices of one input, and rows of one table, add to one gradient: eight of them want no memory
  /// of the whole's size beyond it.
  @Test(arguments: [false, true]) func slicesShareOneGradient(gathers: Bool) async {
    await #expect(processExitsWith: .success) { [gathers] in
      let megabyte = 1 << 20
      let x = Tensor.zeros([64, 1 << 18]).tracked()  // 64 MB
      // Threads and their memory are there before it is counted.
      WorkerPool.shared.forEach(64) { _ in usleep(100) }
      try limitAddresses(to: addressByteCount() + (64 + 24) * megabyte)
      let gradient = valueAndGradients {
        (0..<8).reduce(Tensor(0)) { sum, index in
          sum + (gathers ? x.gather([index]) : x.slice(index..<(index + 1))).sum()
        }
      }.gradients[x]
      let elements = try #require(gradient)
      precondition(elements.slice(0..<8).sum().scalar == Float(8 << 18))
      precondition(elements.slice(8..<64).sum().scalar == 0)
    }
  }

  /// The same bits as adding one whole for each slice, signs of zeros included.
  @Test(arguments: [0, 1, 2]) func sliceGradientsAddUp(along dimension: Int) {
    let shape = [4, 5, 6]
    let ranges = [1..<3, 0..<2, 2..<4, 3..<3, 1..<2]
    let upstreams = ranges.enumerated().map { index, range in
      var part = shape
      part[dimension] = range.count
      let signs = randomTensor(part, seed: UInt64(index))
      // Every third element is a zero, half of them negative.
      return Tensor(
        shape: part,
        elements: signs.elements.enumerated().map { $0 % 3 == 0 ? $1 * 0 : $1 })
    }
    let x = randomTensor(shape, seed: 9).tracked()
    for count in 1...ranges.count {
      let found = Self.gradient(of: x, count: count) { index in
        (x.slice(ranges[index], along: dimension) * upstreams[index]).sum()
      }
      var expected: Tensor?
      for (range, upstream) in zip(ranges, upstreams).prefix(count) {
        var whole = [Float](repeating: 0, count: 120)
        for (position, value) in upstream.elements.enumerated() {
          var index = Self.index(position, shape: upstream.shape)
          index[dimension] += range.lowerBound
          whole[index[0] * 30 + index[1] * 6 + index[2]] = value
        }
        Self.add(whole, shape, to: &expected)
      }
      expectSameBits(found, expected)
    }
  }

  @Test func gatheredGradientsAddUp() {
    let shape = [5, 3]
    let choices = [[1, 3, 1], [0], [3, 3, 2, 0], []]
    let x = randomTensor(shape, seed: 9).tracked()
    let upstreams = choices.enumerated().map { index, rows in
      let values = randomTensor([rows.count, 3], seed: UInt64(20 + index)).elements
      return Tensor(
        shape: [rows.count, 3], elements: values.enumerated().map { $0 % 2 == 0 ? $1 * 0 : $1 })
    }
    for count in 1...choices.count {
      let found = Self.gradient(of: x, count: count) { index in
        (x.gather(choices[index]) * upstreams[index]).sum()
      }
      var expected: Tensor?
      for (rows, upstream) in zip(choices, upstreams).prefix(count) {
        var whole = [Float](repeating: 0, count: 15)
        let values = upstream.elements
        for (row, index) in rows.enumerated() {
          for column in 0..<3 { whole[index * 3 + column] += values[row * 3 + column] }
        }
        Self.add(whole, shape, to: &expected)
      }
      expectSameBits(found, expected)
    }
  }

  /// The gradient of the sum of terms, to which term 0 adds first: the walk back takes the last.
  private static func gradient(
    of x: Tensor, count: Int, _ term: (Int) -> Tensor
  ) -> Tensor? {
    valueAndGradients {
      (0..<count).reversed().reduce(Tensor(0)) { sum, index in sum + term(index) }
    }.gradients[x]
  }

  private static func add(_ whole: [Float], _ shape: [Int], to sum: inout Tensor?) {
    let gradient = Tensor(shape: shape, elements: whole)
    if sum == nil { sum = gradient } else { sum?.add(gradient) }
  }

  private static func index(_ position: Int, shape: [Int]) -> [Int] {
    [
      position / (shape[1] * shape[2]), position / shape[2] % shape[1], position % shape[2],
    ]
  }

  private func expectSameBits(_ found: Tensor?, _ expected: Tensor?) {
    #expect(found?.elements.map(\.bitPattern) == expected?.elements.map(\.bitPattern))
  }
}
