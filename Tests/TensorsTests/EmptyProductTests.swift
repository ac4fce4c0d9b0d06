import Tensors
import Testing

/// Products of which a dimension is empty: whatever is not summed is zero, or the bias.
@Suite struct EmptyProductTests {
  /// Leaves not-a-number in freed memory, where a result that nobody writes to would show it.
  private func fillFreedMemory() {
    let tensors = (0..<64).map { _ in Tensor(repeating: .nan, shape: [128]) }
    #expect(tensors.count == 64)
  }

  @Test(arguments: [Activation.identity, .relu, .silu])
  func rowsWithoutInputsGetTheBias(_ activation: Activation) {
    let bias = randomTensor([4], seed: 1)
    let row = bias.applying(activation).elements
    let expected = row + row + row + row + row
    for tracked in [bias, bias.tracked()] {
      fillFreedMemory()
      let result = Tensor.zeros([5, 0]).linear(
        weight: .zeros([4, 0]), bias: tracked, activation: activation)
      #expect(result.shape == [5, 4])
      #expect(result.elements == expected)
    }
    let withoutBias = Tensor.zeros([5, 0]).linear(weight: .zeros([4, 0]))
    #expect(withoutBias.elements.allSatisfy { $0 == 0 })
  }

  @Test func rowsWithoutInputsGetTheBiasAndTheResidual() {
    let (bias, residual) = (randomTensor([4], seed: 5), randomTensor([5, 4], seed: 6))
    let result = Tensor.zeros([5, 0]).linear(
      weight: .zeros([4, 0]), bias: bias, adding: residual)
    #expect(result.elements == (residual + bias).elements)
  }

  @Test func gradientsWithoutInputs() {
    let (x, weight) = (Tensor.zeros([5, 0]).tracked(), Tensor.zeros([4, 0]).tracked())
    let bias = randomTensor([4], seed: 2).tracked()
    fillFreedMemory()
    let gradients = valueAndGradients { x.linear(weight: weight, bias: bias).sum() }.gradients
    #expect(gradients[bias]?.elements == [5, 5, 5, 5])
    #expect(gradients[weight]?.shape == [4, 0])
    #expect(gradients[x]?.shape == [5, 0])
  }

  @Test func gradientsWithoutRows() {
    let x = Tensor.zeros([0, 3]).tracked()
    let (weight, bias) = (randomTensor([4, 3], seed: 3).tracked(), randomTensor([4]).tracked())
    fillFreedMemory()
    let layer = valueAndGradients { x.linear(weight: weight, bias: bias).sum() }
    #expect(layer.value.scalar == 0)
    #expect(layer.gradients[weight]?.shape == [4, 3])
    #expect(layer.gradients[weight]?.elements.allSatisfy { $0 == 0 } == true)
    #expect(layer.gradients[bias]?.elements == [0, 0, 0, 0])
    #expect(layer.gradients[x]?.shape == [0, 3])

    let matrix = randomTensor([3, 4], seed: 4).tracked()
    fillFreedMemory()
    let product = valueAndGradients { x.matmul(matrix).sum() }.gradients
    #expect(product[matrix]?.shape == [3, 4])
    #expect(product[matrix]?.elements.allSatisfy { $0 == 0 } == true)
  }
}
