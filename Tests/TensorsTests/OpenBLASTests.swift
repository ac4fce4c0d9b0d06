import TestSupport
import Testing

@testable import Tensors

/// Attune's own products against OpenBLAS, which shares no line with them.
@Suite(.enabled(if: MatrixKernel.openBLAS.isAvailable, "libopenblas.so.0 is not installed"))
struct OpenBLASTests {
  private func both<Result>(_ body: () -> Result) -> (own: Result, openBLAS: Result) {
    func run(_ kernel: MatrixKernel) -> Result {
      ProductArithmetic.$current.withValue(
        ProductArithmetic(kernels: MatrixKernels(all: kernel)), operation: body)
    }
    return (run(.float32), run(.openBLAS))
  }

  private func random(_ shape: [Int], seed: UInt64) -> Tensor {
    var random = RandomStream(seed: seed)
    return random.normal(shape)
  }

  @Test(arguments: [(1, 1, 1), (7, 33, 31), (70, 600, 70), (3, 0, 5), (0, 4, 3)])
  func layersAgree(rows: Int, inner: Int, columns: Int) {
    let (x, weight) = (random([rows, inner], seed: 1), random([columns, inner], seed: 2))
    let (bias, up) = (random([columns], seed: 3), random([rows, columns], seed: 4))
    let (own, openBLAS) = both {
      let leaves = [x.tracked(), weight.tracked(), bias.tracked()]
      let slopes = gradients(of: up) {
        leaves[0].linear(weight: leaves[1], bias: leaves[2], activation: .mish)
      }
      return [x.linear(weight: weight, bias: bias), x.matmul(weight.transposed([1, 0]))]
        + leaves.map { slopes[$0] ?? .zeros([]) }
    }
    for (index, pair) in zip(own, openBLAS).enumerated() {
      expectClose(pair.1, pair.0, relative: 2e-6, "number \(index)")
    }
  }

  @Test func attentionAndConvolutionsAgree() {
    let tokens = random([2, 200, 48], seed: 5)
    let image = random([2, 9, 14, 16], seed: 6)
    let (weight, strided) = (random([32, 16, 3, 3], seed: 7), random([5, 16, 3, 3], seed: 8))
    let (own, openBLAS) = both {
      let (t, w) = (tokens.tracked(), weight.tracked())
      let attended = valueAndGradients {
        t.attention(keys: t, values: t, headCount: 4).squared().sum()
      }
      let convolved = valueAndGradients {
        image.convolved2D(weight: w, padding: 1).squared().sum()
      }
      return [
        attended.gradients[t] ?? .zeros([]), convolved.gradients[w] ?? .zeros([]),
        image.convolved2D(weight: strided, stride: 2),
      ]
    }
    for (index, pair) in zip(own, openBLAS).enumerated() {
      expectClose(pair.1, pair.0, relative: 1e-5, "number \(index)")
    }
  }
}
