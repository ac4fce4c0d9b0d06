import TestSupport
import Testing

@testable import Tensors

@Suite struct TensorTests {
  @Test func copiesAreIndependent() {
    let a = Tensor([1, 2, 3])
    var b = a
    b.withUnsafeMutableElements { $0[0] = 9 }
    #expect(a.elements == [1, 2, 3])
    #expect(b.elements == [9, 2, 3])
  }

  @Test func slicesShareUntilWritten() {
    let a = Tensor(shape: [3, 2], elements: [1, 2, 3, 4, 5, 6])
    var row = a.slice(1..<2)
    #expect(row.storage === a.storage)
    row.withUnsafeMutableElements { $0[0] = 9 }
    #expect(row.elements == [9, 4])
    #expect(a.elements == [1, 2, 3, 4, 5, 6])
  }

  /// A product's packed weight must follow the weight.
  @Test func packedFormsFollowWrites() {
    var weight = randomTensor([40, 30], seed: 1)
    let x = randomTensor([5, 30], seed: 2)
    let before = x.linear(weight: weight)
    weight.withUnsafeMutableElements { for index in $0.indices { $0[index] *= 2 } }
    expectClose(x.linear(weight: weight), before * 2)
  }

  @Test(.ownProducts) func slicesOfAWeightDoNotSharePackedForms() {
    let weight = randomTensor([60, 30], seed: 3)
    let x = randomTensor([5, 30], seed: 4)
    let whole = x.linear(weight: weight)
    #expect(
      x.linear(weight: weight.slice(20..<40)).elements == whole.slice(20..<40, along: 1).elements)
    #expect(
      x.linear(weight: weight.slice(0..<20)).elements == whole.slice(0..<20, along: 1).elements)
  }

  /// A reshaped weight shares the memory, but not the packed forms.
  @Test func reshapedWeightsDoNotSharePackedForms() {
    let weight = randomTensor([2, 3], seed: 16)
    let (x, y) = (randomTensor([4, 2], seed: 17), randomTensor([4, 3], seed: 18))
    let other = weight.reshaped(to: [3, 2])
    let copy = Tensor(shape: [3, 2], elements: weight.elements)
    #expect(other.storage === weight.storage)
    let (product, layer) = (x.matmul(weight), y.linear(weight: weight))
    #expect(y.matmul(other).elements == y.matmul(copy).elements)
    #expect(x.linear(weight: other).elements == x.linear(weight: copy).elements)
    #expect(x.matmul(weight).elements == product.elements)
    #expect(y.linear(weight: weight).elements == layer.elements)
  }

  @Test func broadcastingAgreesWithIndexing() {
    let shapes: [([Int], [Int])] = [
      ([2, 3, 4], [4]), ([2, 3, 4], [3, 1]), ([2, 1, 4], [3, 1]), ([1], [2, 3]), ([], [5]),
      ([2, 3, 4], [2, 1, 1]), ([4, 1], [1, 5]), ([2, 1, 3, 1], [4, 1, 2]), ([0, 3], [3]),
    ]
    for (shapeA, shapeB) in shapes {
      let (a, b) = (randomTensor(shapeA, seed: 5), randomTensor(shapeB, seed: 6))
      let difference = a - b
      let shape = Shapes.broadcast(shapeA, shapeB, operation: "test")
      #expect(difference.shape == shape)
      let (elementsA, elementsB) = (a.elements, b.elements)
      for (index, value) in difference.elements.enumerated() {
        var (remaining, positionA, positionB, strideA, strideB) = (index, 0, 0, 1, 1)
        for dimension in 1...max(shape.count, 1) where dimension <= shape.count {
          let size = shape[shape.count - dimension]
          let coordinate = remaining % size
          remaining /= size
          if dimension <= shapeA.count {
            let sizeA = shapeA[shapeA.count - dimension]
            positionA += (sizeA == 1 ? 0 : coordinate) * strideA
            strideA *= sizeA
          }
          if dimension <= shapeB.count {
            let sizeB = shapeB[shapeB.count - dimension]
            positionB += (sizeB == 1 ? 0 : coordinate) * strideB
            strideB *= sizeB
          }
        }
        #expect(value == elementsA[positionA] - elementsB[positionB])
      }
    }
  }

  @Test func productsAgreeWithLoops() {
    for (rows, inner, columns) in [
      (1, 1, 1), (3, 5, 7), (15, 33, 31), (29, 600, 50), (170, 4, 65), (2, 0, 3),
    ] {
      let (a, b) = (randomTensor([rows, inner], seed: 7), randomTensor([inner, columns], seed: 8))
      let (elementsA, elementsB) = (a.elements, b.elements)
      let expected = (0..<(rows * columns)).map { index in
        (0..<inner).reduce(0.0) { sum, k in
          sum
            + Double(elementsA[index / columns * inner + k])
            * Double(elementsB[k * columns + index % columns])
        }
      }
      expectClose(
        a.matmul(b), Tensor(shape: [rows, columns], elements: expected.map(Float.init)),
        "\(rows)x\(inner)x\(columns)")
    }
  }

  @Test func emptyTensors() {
    let empty = Tensor.zeros([0, 3])
    #expect((empty + 1).shape == [0, 3])
    #expect(empty.linear(weight: randomTensor([4, 3])).shape == [0, 4])
    #expect(empty.sum().scalar == 0)
    #expect(empty.sum(along: 0).elements == [0, 0, 0])
    #expect(empty.softmax().count == 0)
    #expect(Tensor.concatenated([empty, .ones([2, 3])], along: 0).shape == [2, 3])
  }

  @Test func specialValuesPass() {
    let x = Tensor([.nan, .infinity, -.infinity, 0])
    #expect(x.exp().elements.dropFirst() == [.infinity, 0, 1])
    #expect(x.exp().elements[0].isNaN && x.relu().elements[0].isNaN)
    #expect(x.clamped(to: -1, 1).elements[0].isNaN)
    #expect(Tensor([0, 1, .infinity]).log().elements == [-.infinity, 0, .infinity])
    #expect(Tensor([-1]).log().scalar.isNaN)
    #expect(Tensor.maximum(x, .zeros([4])).elements[0].isNaN)
    #expect(Tensor.maximum(.zeros([4]), x).elements[0].isNaN)
    #expect(x.tanh().elements[1...] == [1, -1, 0])
  }

  /// Exponentials that overflow, or underflow all together.
  @Test func logSumExpStaysFinite() {
    let far = Tensor(shape: [3, 2], elements: [1000, 1000, -1000, -1000, 0, -1000])
    let log2: Float = 0.693_147_2
    expectClose(
      far.logSumExpAlongLast(), Tensor([1000 + log2, -1000 + log2, 0]), relative: 1e-6)
    let broken = Tensor(shape: [1, 2], elements: [.nan, 0])
    #expect(broken.logSumExpAlongLast().elements[0].isNaN)
  }

  @Test func longSumsStayAccurate() {
    // A float sum of 10 million tenths, one after the other, is off by 8%.
    let x = Tensor(repeating: 0.1, shape: [10_000_000])
    expectClose(x.sum(), Tensor(1_000_000), relative: 1e-6)
    expectClose(
      x.reshaped(to: [5_000_000, 2]).sum(along: 0), Tensor([500_000, 500_000]), relative: 1e-6)
  }
}
