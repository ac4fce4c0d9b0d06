import Foundation
import Tensors
import TestSupport
import Testing

/// Attention and group normalization against plain double-precision versions, where their blocks,
/// lanes and running sums end or change.
struct FusedKernelTests {
  /// Softmax attention of one head, `[L, D]` each.
  private func attention(
    _ query: Tensor, _ key: Tensor, _ value: Tensor, isCausal: Bool
  ) -> Tensor {
    let size = query.shape[1]
    let (q, k, v) = (query.elements, key.elements, value.elements)
    var result: [Float] = []
    for i in 0..<query.shape[0] {
      let seen = isCausal ? min(i + 1, key.shape[0]) : key.shape[0]
      let scores = (0..<seen).map { j in
        (0..<size).reduce(0.0) { $0 + Double(q[i * size + $1]) * Double(k[j * size + $1]) }
          / Double(size).squareRoot()
      }
      let maximum = scores.max() ?? 0
      let weights = scores.map { Foundation.exp($0 - maximum) }
      let sum = weights.reduce(0, +)
      for d in 0..<size {
        result.append(
          Float((0..<seen).reduce(0.0) { $0 + weights[$1] * Double(v[$1 * size + d]) } / sum))
      }
    }
    return Tensor(shape: query.shape, elements: result)
  }

  /// Keys that grow along the tokens, so that maxima rise far in every block and by different
  /// amounts.
  private func growing(_ count: Int, _ size: Int) -> Tensor {
    let steps = (0..<count).map { 1 + Float($0) / 20 }
    return randomTensor([count, size], seed: 51) * Tensor(shape: [count, 1], elements: steps)
  }

  @Test(arguments: [
    (1, 1, 3), (33, 400, 8), (290, 170, 40), (50, 168, 17), (48, 337, 16),
    // A few keys, whose kernel is another.
    (8, 8, 8), (7, 5, 9), (33, 8, 32), (8, 8, 33), (16, 9, 8),
  ])
  func attentionMatchesTheFormula(queries: Int, keys: Int, size: Int) {
    let query = randomTensor([queries, size], seed: 50)
    let value = randomTensor([keys, size], seed: 52)
    for key in [growing(keys, size), -growing(keys, size), randomTensor([keys, size], seed: 53)] {
      for isCausal in [false, true] {
        let result = query.reshaped(to: [1, queries, size]).attention(
          keys: key.reshaped(to: [1, keys, size]), values: value.reshaped(to: [1, keys, size]),
          headCount: 1, isCausal: isCausal)
        expectClose(
          result.reshaped(to: [queries, size]),
          attention(query, key, value, isCausal: isCausal), relative: 2e-5)
      }
    }
  }

  @Test(.ownProducts) func queriesAreIndependentOfOneAnother() {
    let query = randomTensor([1, 300, 24], seed: 54)
    let (key, value) = (
      growing(400, 24).reshaped(to: [1, 400, 24]), randomTensor([1, 400, 24], seed: 55)
    )
    let whole = query.attention(keys: key, values: value, headCount: 2)
    for range in [0..<1, 5..<45, 123..<300] {
      let part = query.slice(range, along: 1).attention(keys: key, values: value, headCount: 2)
      #expect(part.elements == whole.slice(range, along: 1).elements)
    }
  }

  @Test(arguments: [7, 16, 24, 40, 64, 100]) func groupNormMatchesTheFormula(channels: Int) {
    let (positions, groups) = (150, channels % 4 == 0 ? channels / 4 : 1)
    let width = channels / groups
    let x = randomTensor([positions, channels], seed: 56, in: 3..<7)
    // Weights of hundreds take SiLU to both of its ends.
    let weight = randomTensor([channels], seed: 57, in: -300..<300)
    let bias = randomTensor([channels], seed: 58)
    let elements = x.elements
    var expected = [Float](repeating: 0, count: x.count)
    for group in 0..<groups {
      let indices = (0..<positions).flatMap { i in
        (0..<width).map { i * channels + group * width + $0 }
      }
      let mean = indices.reduce(0.0) { $0 + Double(elements[$1]) } / Double(indices.count)
      let variance =
        indices.reduce(0.0) { $0 + (Double(elements[$1]) - mean) * (Double(elements[$1]) - mean) }
        / Double(indices.count)
      for index in indices {
        let channel = index % channels
        expected[index] = Float(
          (Double(elements[index]) - mean) / (variance + 1e-5).squareRoot()
            * Double(weight.elements[channel]) + Double(bias.elements[channel]))
      }
    }
    let shape = [1, positions, channels]
    let plain = x.reshaped(to: shape).groupNorm(groupCount: groups, weight: weight, bias: bias)
    expectClose(plain, Tensor(shape: shape, elements: expected))
    let silu = x.reshaped(to: shape).groupNorm(
      groupCount: groups, weight: weight, bias: bias, appliesSiLU: true)
    let activated = expected.map { Float(Double($0) / (1 + Foundation.exp(-Double($0)))) }
    expectClose(silu, Tensor(shape: shape, elements: activated))
  }
}
