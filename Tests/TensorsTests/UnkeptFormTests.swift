import TestSupport
import Testing

@testable import Tensors

/// Products whose packed weights are not kept, against those whose are: the same bits.
@Suite struct UnkeptFormTests {
  private func random(_ shape: [Int], seed: UInt64) -> Tensor {
    var random = RandomStream(seed: seed)
    return random.normal(shape)
  }

  /// The same values as a slice that begins within its storage, for which nothing is kept.
  private func unkept(_ weight: Tensor) -> Tensor {
    Tensor.concatenated([weight.slice(0..<1), weight], along: 0).slice(1..<(weight.shape[0] + 1))
  }

  @Test(.ownProducts) func winogradConvolutionsAgree() {
    for (shape, out) in [([2, 9, 14, 32], 80), ([1, 4, 4, 16], 16), ([3, 40, 60, 16], 48)] {
      let x = random(shape, seed: 1)
      let weight = random([out, shape[3], 3, 3], seed: 2)
      let bias = random([out], seed: 3)
      let kept = x.convolved2D(weight: weight, bias: bias, padding: 1)
      let other = x.convolved2D(weight: unkept(weight), bias: bias, padding: 1)
      #expect(kept.shape == shape.dropLast() + [out])
      #expect(kept.elements == other.elements, "\(shape) to \(out) channels")
    }
  }

  @Test(.ownProducts) func largeLinearLayersAgree() {
    let x = random([200, 2_000], seed: 1)
    let weight = random([2_100, 2_000], seed: 2)
    let bias = random([2_100], seed: 3)
    #expect(weight.count > MatrixProducts.maxTransientCount)
    for activation in [Activation.identity, .gelu] {
      let kept = x.linear(weight: weight, bias: bias, activation: activation)
      let other = x.linear(weight: unkept(weight), bias: bias, activation: activation)
      #expect(kept.elements == other.elements, "\(activation)")
    }
    let residual = random([200, 2_100], seed: 4)
    let kept = x.linear(weight: weight, bias: bias, adding: residual)
    let other = x.linear(weight: unkept(weight), bias: bias, adding: residual)
    #expect(kept.elements == other.elements)
    expectClose(kept, x.linear(weight: weight, bias: bias) + residual)
  }

  @Test(.ownProducts) func largePatchConvolutionsAgree() {
    let x = random([2, 7, 8, 1_000], seed: 1)
    let weight = random([480, 1_000, 3, 3], seed: 2)
    let bias = random([480], seed: 3)
    #expect(weight.count > MatrixProducts.maxTransientCount)
    let kept = x.convolved2D(weight: weight, bias: bias, stride: 2, padding: 1)
    let other = x.convolved2D(weight: unkept(weight), bias: bias, stride: 2, padding: 1)
    #expect(kept.shape == [2, 4, 4, 480])
    #expect(kept.elements == other.elements)
  }

  /// A small image with many channels is not worth a transform of the weight.
  @Test func smallImagesOfManyChannelsAgree() {
    let x = random([1, 5, 6, 768], seed: 1)
    let weight = random([704, 768, 3, 3], seed: 2)
    let bias = random([704], seed: 3)
    let direct = x.convolved2D(weight: weight, bias: bias, padding: 1)
    let winograd = WinogradConvolution.forward(x, weight: weight, bias: bias)
    let difference = (direct - winograd).absolute().elements.max() ?? .nan
    let maximum = winograd.absolute().elements.max() ?? 0
    #expect(difference > 0 && difference <= 1e-4 * maximum)
  }

  /// What is kept is counted, and what is gone is not.
  @Test func roomIsGivenBack() {
    let x = random([4, 1_000], seed: 1)
    for seed in 0..<200 {
      // 200 matrices of 4 MB, of which none outlives its turn, would not fit at once.
      let weight = random([1_000, 1_000], seed: UInt64(seed))
      let result = x.linear(weight: weight)
      #expect(result.shape == [4, 1_000])
      #expect(weight.keptPacked(.transposed) != nil)
    }
  }
}
