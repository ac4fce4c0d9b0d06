import Tensors
import Testing

/// Finite differences for every differentiable operation.
@Suite struct GradientTests {
  private let a = randomTensor([3, 4], seed: 1)
  private let b = randomTensor([3, 4], seed: 2)
  private let row = randomTensor([4], seed: 3)
  private let column = randomTensor([3, 1], seed: 4)
  private let positive = randomTensor([3, 4], seed: 5, in: 0.5..<2)

  @Test func arithmetic() {
    for other in [b, row, column, Tensor(0.7)] {
      checkGradients([a, other]) { $0[0] + $0[1] }
      checkGradients([other, a]) { $0[0] - $0[1] }
      checkGradients([a, other]) { $0[0] * $0[1] }
    }
    for other in [positive, row.squared() + 0.5, column.squared() + 0.5] {
      checkGradients([a, other]) { $0[0] / $0[1] }
    }
    checkGradients([a]) { 2 - $0[0] * 3 + 1 }
    checkGradients([positive]) { 1.5 / $0[0] - 2 }
    checkGradients([column, row]) { $0[0] * $0[1] }
    checkGradients([row]) { $0[0].broadcast(to: [2, 3, 4]) }
    checkGradients([column]) { $0[0].broadcast(to: [3, 4]) }
  }

  @Test func sameTensorTwice() {
    checkGradients([a]) { $0[0] * $0[0] + $0[0] }
  }

  @Test func comparisons() {
    checkGradients([a, b]) { Tensor.maximum($0[0], $0[1]) }
    checkGradients([a, row]) { Tensor.minimum($0[0], $0[1]) }
    checkGradients([a]) { $0[0].clamped(to: -0.513, 0.772) }
    let condition = Tensor(shape: [3, 4], elements: (0..<12).map { Float($0 % 3) })
    checkGradients([a, b]) { Tensor.select(condition, $0[0], $0[1]) }
  }

  @Test(arguments: Activation.allCases) func activation(_ activation: Activation) {
    let x = randomTensor([5, 7], seed: 6, in: -4..<4)
    checkGradients([x]) { $0[0].applying(activation) }
  }

  @Test func elementaryFunctions() {
    checkGradients([a]) { $0[0].exp() }
    checkGradients([positive]) { $0[0].log() }
    checkGradients([positive]) { $0[0].squareRoot() }
    checkGradients([a]) { $0[0].squared() }
    checkGradients([a]) { $0[0].absolute() }
  }

  @Test func reductions() {
    let x = randomTensor([2, 3, 4], seed: 7)
    checkGradients([x]) { $0[0].sum() }
    checkGradients([x]) { $0[0].mean() }
    for dimension in 0..<3 {
      checkGradients([x]) { $0[0].sum(along: dimension) }
      checkGradients([x]) { $0[0].mean(along: dimension, keepsDimension: true) }
    }
    let apart = Tensor(shape: [2, 4], elements: [3, 1, 4, 1.5, -5, 9, 2, 6])
    checkGradients([apart]) { $0[0].maximumAlongLast() }
    checkGradients([x]) { $0[0].logSumExpAlongLast() }
  }

  @Test func shaping() {
    let x = randomTensor([2, 3, 4], seed: 8)
    checkGradients([x]) { $0[0].reshaped(to: [4, -1]) }
    checkGradients([x]) { $0[0].transposed([2, 0, 1]) }
    checkGradients([x]) { $0[0].transposed() }
    checkGradients([x]) { $0[0].slice(1..<2) }
    checkGradients([x]) { $0[0].slice(1..<3, along: 1) }
    checkGradients([x]) { $0[0].slice(0..<3, along: -1) }
    checkGradients([x]) { $0[0][1] }
    checkGradients([x, randomTensor([2, 2, 4], seed: 9)]) {
      Tensor.concatenated([$0[0], $0[1], $0[0]], along: 1)
    }
    checkGradients([a, b]) { Tensor.stacked([$0[0], $0[1]]) }
    checkGradients([a]) { $0[0].gather([2, 0, 2, 2]) }
    checkGradients([a]) { $0[0].gatherAlongLast([3, 0, 1]) }
  }

  @Test func products() {
    let x = randomTensor([2, 5, 3], seed: 10)
    checkGradients([x, randomTensor([3, 4], seed: 11)]) { $0[0].matmul($0[1]) }
    checkGradients([x, randomTensor([2, 3, 6], seed: 12)]) { $0[0].matmul($0[1]) }
  }

  @Test(arguments: [Activation.identity, .relu, .mish]) func linear(_ activation: Activation) {
    checkGradients([
      randomTensor([6, 3], seed: 13), randomTensor([5, 3], seed: 14), randomTensor([5], seed: 15),
    ]) { $0[0].linear(weight: $0[1], bias: $0[2], activation: activation) }
    checkGradients([randomTensor([2, 3, 3], seed: 16), randomTensor([4, 3], seed: 17)]) {
      $0[0].linear(weight: $0[1], activation: activation)
    }
    checkGradients([
      randomTensor([6, 3], seed: 13), randomTensor([5, 3], seed: 14), randomTensor([5], seed: 15),
      randomTensor([6, 5], seed: 43),
    ]) { $0[0].linear(weight: $0[1], bias: $0[2], adding: $0[3], activation: activation) }
  }

  @Test func normalizations() {
    let x = randomTensor([3, 8], seed: 18)
    let (weight, bias) = (randomTensor([8], seed: 19), randomTensor([8], seed: 20))
    checkGradients([x]) { $0[0].softmax() }
    checkGradients([x]) { $0[0].logSoftmax() }
    checkGradients([x, weight, bias]) { $0[0].layerNorm(weight: $0[1], bias: $0[2]) }
    checkGradients([x]) { $0[0].layerNorm(weight: nil, bias: nil) }
    let image = randomTensor([2, 3, 2, 8], seed: 21)
    for appliesSiLU in [false, true] {
      checkGradients([image, weight, bias]) {
        $0[0].groupNorm(groupCount: 4, weight: $0[1], bias: $0[2], appliesSiLU: appliesSiLU)
      }
    }
    checkGradients([image]) { $0[0].groupNorm(groupCount: 2, weight: nil, bias: nil) }
  }

  @Test(arguments: [(1, 0), (1, 1), (2, 1)]) func convolution2D(_ stride: Int, _ padding: Int) {
    checkGradients([
      randomTensor([2, 5, 6, 3], seed: 22), randomTensor([4, 3, 3, 3], seed: 23),
      randomTensor([4], seed: 24),
    ]) { $0[0].convolved2D(weight: $0[1], bias: $0[2], stride: stride, padding: padding) }
  }

  /// A kernel of three rows and one column, padded above and below.
  @Test func convolutionOverRows() {
    checkGradients([
      randomTensor([2, 4, 3, 3], seed: 22), randomTensor([4, 3, 3, 1], seed: 23),
      randomTensor([4], seed: 24),
    ]) { $0[0].convolved2D(weight: $0[1], bias: $0[2], paddingHeight: 1, paddingWidth: 0) }
  }

  @Test func pointwiseConvolution() {
    checkGradients([
      randomTensor([2, 3, 4, 3], seed: 25), randomTensor([5, 3, 1, 1], seed: 26),
      randomTensor([5], seed: 27),
    ]) { $0[0].convolved2D(weight: $0[1], bias: $0[2]) }
  }

  @Test(arguments: [(4, 4), (7, 9), (1, 3)]) func winograd(_ height: Int, _ width: Int) {
    checkGradients([
      randomTensor([2, height, width, 16], seed: 28), randomTensor([48, 16, 3, 3], seed: 29),
      randomTensor([48], seed: 30),
    ]) { $0[0].convolved2D(weight: $0[1], bias: $0[2], padding: 1) }
  }

  @Test func convolution1D() {
    let (weight, bias) = (randomTensor([4, 3, 5], seed: 32), randomTensor([4], seed: 33))
    checkGradients([randomTensor([2, 9, 3], seed: 31), weight, bias]) {
      $0[0].convolved1D(weight: $0[1], bias: $0[2], stride: 2, padding: 2)
    }
    checkGradients([
      randomTensor([2, 5, 3], seed: 34), randomTensor([3, 4, 4], seed: 35), bias,
    ]) {
      $0[0].convolvedTransposed1D(weight: $0[1], bias: $0[2], stride: 2, padding: 1)
    }
  }

  @Test func upsampling() {
    checkGradients([randomTensor([2, 2, 3, 4], seed: 36)]) { $0[0].upsampledNearest(by: 2) }
  }

  @Test(arguments: [false, true]) func attention(_ isCausal: Bool) {
    let query = randomTensor([2, 7, 6], seed: 37)
    let (key, value) = (randomTensor([2, 9, 6], seed: 38), randomTensor([2, 9, 6], seed: 39))
    checkGradients([query, key, value]) {
      $0[0].attention(keys: $0[1], values: $0[2], headCount: 2, isCausal: isCausal)
    }
  }

  /// Heads of several sizes, more of them than one task takes, and an odd number of queries.
  @Test(arguments: [(8, 8, 8, 2), (17, 5, 9, 3), (3, 8, 12, 1)])
  func attentionToAFewKeys(queries: Int, keys: Int, size: Int, heads: Int) {
    let width = size * heads
    let query = randomTensor([40, queries, width], seed: 37)
    let (key, value) = (
      randomTensor([40, keys, width], seed: 38), randomTensor([40, keys, width], seed: 39)
    )
    for isCausal in [false, true] {
      checkGradients([query, key, value]) {
        $0[0].attention(keys: $0[1], values: $0[2], headCount: heads, isCausal: isCausal)
      }
    }
  }

  @Test func attentionOverSeveralBlocks() {
    let query = randomTensor([1, 130, 5], seed: 40)
    let (key, value) = (randomTensor([1, 300, 5], seed: 41), randomTensor([1, 300, 5], seed: 42))
    for isCausal in [false, true] {
      checkGradients([query, key, value]) {
        $0[0].attention(keys: $0[1], values: $0[2], headCount: 1, isCausal: isCausal)
      }
    }
  }

  @Test func gaussianLogDensity() {
    let (x, mean) = (randomTensor([3, 4], seed: 43), randomTensor([4], seed: 44))
    for std in [positive, Tensor(0.8)] {
      checkGradients([x, mean, std]) {
        $0[0].gaussianLogDensity(mean: $0[1], standardDeviation: $0[2])
      }
    }
  }
}
