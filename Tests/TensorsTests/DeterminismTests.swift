import TestSupport
import Testing

@testable import Tensors

/// The same bits on 1, 2 and 8 threads, and however a batch is cut.
@Suite(.serialized) struct DeterminismTests {
  /// Runs `body` with each number of threads and expects one result.
  private func expectSameBits(
    sourceLocation: SourceLocation = #_sourceLocation, _ body: () -> [[Float]]
  ) {
    let threadCount = WorkerPool.shared.threadCount
    defer { WorkerPool.shared.threadCount = threadCount }
    var results: [[[Float]]] = []
    for count in [1, 2, 8] {
      WorkerPool.shared.threadCount = count
      results.append(body())
    }
    #expect(results[0].allSatisfy { !$0.isEmpty }, sourceLocation: sourceLocation)
    #expect(results[1] == results[0], sourceLocation: sourceLocation)
    #expect(results[2] == results[0], sourceLocation: sourceLocation)
  }

  @Test func shardedGradients() {
    let (x, target) = (randomTensor([517, 20], seed: 1), randomTensor([517, 33], seed: 2))
    let (weight, bias) = (randomTensor([33, 20], seed: 3), randomTensor([33], seed: 4))
    let leaves = (GradientLeaf(), GradientLeaf())
    expectSameBits {
      let step = shardedValueAndGradients(count: 517, shardSize: 32) { range in
        let output = x.slice(range).linear(
          weight: weight.tracked(as: leaves.0), bias: bias.tracked(as: leaves.1),
          activation: .mish)
        let loss = (output - target.slice(range)).squared().sum()
        return ShardResult(loss: loss, sums: ["shards": 1, "rows": Double(range.count)])
      }
      #expect(step.sums == ["shards": 17, "rows": 517])
      return [
        [Float(step.loss)], step.gradients[leaves.0]!.elements,
        step.gradients[leaves.1]!.elements,
      ]
    }
  }

  @Test func shardsAddUpToTheWhole() {
    let x = randomTensor([100, 6], seed: 5)
    let weight = randomTensor([4, 6], seed: 6)
    let leaf = GradientLeaf()
    @Sendable func loss(_ range: Range<Int>) -> Tensor {
      x.slice(range).linear(weight: weight.tracked(as: leaf), activation: .silu).squared().sum()
    }
    let whole = valueAndGradients { loss(0..<100) }
    let sharded = shardedValueAndGradients(count: 100, shardSize: 7, laneCount: 4) {
      ShardResult(loss: loss($0))
    }
    expectClose(Tensor(Float(sharded.loss)), whole.value)
    expectClose(sharded.gradients[leaf]!, whole.gradients[leaf]!)
  }

  /// ((0 + 1) + (2 + 3)) + ((4 + 5) + (6 + 7)): values of very different size tell one order of
  /// additions from another.
  @Test(arguments: [8, 5, 3, 1]) func lanesAreSummedInABinaryTree(shardCount: Int) {
    let values: [Float] = [1e8, 3, -1e8, 5, 7e7, 0.3, 11, -7e7].prefix(shardCount) + []
    let leaf = GradientLeaf()
    let result = shardedValueAndGradients(count: shardCount, shardSize: 1) { range in
      let weight = Tensor(2).tracked(as: leaf)
      return ShardResult(
        loss: weight * values[range.lowerBound], sums: ["value": Double(values[range.lowerBound])])
    }
    func tree(_ lanes: [Float?]) -> Float? {
      if lanes.count == 1 { return lanes[0] }
      let (left, right) = (
        tree(Array(lanes.prefix(lanes.count / 2))), tree(Array(lanes.suffix(lanes.count / 2)))
      )
      guard let left, let right else { return left ?? right }
      return left + right
    }
    // Shard s is in lane l where shardCount l / 8 <= s < shardCount (l + 1) / 8.
    let lanes = (0..<8).map { lane -> Float? in
      let (start, end) = (shardCount * lane / 8, shardCount * (lane + 1) / 8)
      return start < end ? values[start] : nil
    }
    #expect(result.gradients[leaf]?.scalar == tree(lanes))
    #expect(result.loss == 2 * result.sums["value"])
  }

  /// Whoever owns the lanes of a subtree sums it alone.
  @Test func lanesCanBeSummedElsewhere() {
    let values: [Float] = [1e8, 3, -1e8, 5, 7e7, 0.3, 11, -7e7]
    let leaf = GradientLeaf()
    func sum(_ lanes: Range<Int>?) -> (gradient: Float?, sums: NamedSums) {
      let result = shardedValueAndGradients(count: 8, shardSize: 1, lanes: lanes) { range in
        let value = values[range.lowerBound]
        return ShardResult(
          loss: Tensor(2).tracked(as: leaf) * value, sums: ["value": Double(value)])
      }
      return (result.gradients[leaf]?.scalar, result.sums)
    }
    let (whole, left, right) = (sum(nil), sum(0..<4), sum(4..<8))
    #expect(whole.gradient == left.gradient! + right.gradient!)
    var sums = left.sums
    sums += right.sums
    #expect(whole.sums == sums)
  }

  @Test(.ownProducts) func wholeOperations() {
    let x = randomTensor([3, 40, 40, 48], seed: 7)
    let weight = randomTensor([64, 48, 3, 3], seed: 8)
    let upstream = randomTensor([3, 40, 40, 64], seed: 9)
    let wide = randomTensor([5, 48, 3, 3], seed: 10)
    let norm = (randomTensor([48], seed: 11), randomTensor([48], seed: 12))
    let tokens = randomTensor([2, 500, 48], seed: 13)
    let matrix = randomTensor([70, 1100], seed: 14)
    expectSameBits {
      let (x, weight, tokens) = (x.tracked(), weight.tracked(), tokens.tracked())
      let winograd = gradients(of: upstream) { x.convolved2D(weight: weight, padding: 1) }
      let strided = x.convolved2D(weight: wide, stride: 2).detached()
      let normed = x.groupNorm(
        groupCount: 6, weight: norm.0, bias: norm.1, appliesSiLU: true)
      let attended = valueAndGradients {
        tokens.attention(keys: tokens, values: tokens, headCount: 4).squared().sum()
      }
      return [
        winograd[x]!.elements, winograd[weight]!.elements, strided.elements,
        normed.detached().elements, attended.gradients[tokens]!.elements,
        matrix.matmul(randomTensor([1100, 900], seed: 15)).elements,
        matrix.exp().sum().elements, matrix.sum(along: 0).elements,
      ]
    }
  }

  /// A row's result must not depend on its neighbours: log-probabilities from sampling in a small
  /// batch equal those recomputed in a large one.
  @Test(.ownProducts) func rowsAreIndependentOfTheBatch() {
    let x = randomTensor([300, 39], seed: 16)
    let (weight, bias) = (randomTensor([70, 39], seed: 17), randomTensor([70], seed: 18))
    let whole = x.linear(weight: weight, bias: bias, activation: .relu)
    for range in [0..<1, 5..<45, 123..<300] {
      let part = x.slice(range).linear(weight: weight, bias: bias, activation: .relu)
      #expect(part.elements == whole.slice(range).elements)
    }
  }
}
