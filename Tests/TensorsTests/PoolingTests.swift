import Tensors
import TestSupport
import Testing

/// The maximum of windows, and its gradient.
@Suite struct PoolingTests {
  /// Each window by itself.
  private func reference(_ x: Tensor, kernel: Int, stride: Int, padding: Int) -> Tensor {
    let (batch, height, width, channels) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
    let rows = (height + 2 * padding - kernel) / stride + 1
    let columns = (width + 2 * padding - kernel) / stride + 1
    let elements = x.elements
    var result: [Float] = []
    for item in 0..<batch {
      for row in 0..<rows {
        for column in 0..<columns {
          for channel in 0..<channels {
            var greatest = -Float.infinity
            for y in row * stride - padding..<row * stride - padding + kernel
            where (0..<height).contains(y) {
              for x in column * stride - padding..<column * stride - padding + kernel
              where (0..<width).contains(x) {
                let index = ((item * height + y) * width + x) * channels + channel
                greatest = max(greatest, elements[index])
              }
            }
            result.append(greatest)
          }
        }
      }
    }
    return Tensor(shape: [batch, rows, columns, channels], elements: result)
  }

  @Test(arguments: [(3, 2, 1), (2, 2, 0), (3, 1, 1), (1, 1, 0), (4, 3, 2)])
  func maximaAreThoseOfTheWindows(_ kernel: Int, _ stride: Int, _ padding: Int) {
    // Large enough for several workers.
    for shape in [[2, 7, 6, 3], [3, 5, 5, 1], [2, 40, 41, 16]] {
      let x = randomTensor(shape, seed: 4)
      let pooled = x.maxPooled2D(kernelSize: kernel, stride: stride, padding: padding)
      let expected = reference(x, kernel: kernel, stride: stride, padding: padding)
      #expect(pooled.shape == expected.shape && pooled.elements == expected.elements)
    }
  }

  @Test func gradientsGoToTheMaxima() {
    // Differences of neighbours are far larger than the step of finite differences.
    var random = RandomStream(seed: 3)
    let values = random.permutation(2 * 6 * 5 * 2).map { Float($0) }
    let x = Tensor(shape: [2, 6, 5, 2], elements: values)
    checkGradients([x]) { $0[0].maxPooled2D(kernelSize: 3, stride: 2, padding: 1) }
    // Windows overlap: what is the maximum of four of them gets all four gradients.
    let peak = Tensor(shape: [1, 3, 3, 1], elements: [0, 0, 0, 0, 9, 0, 0, 0, 0]).tracked()
    let gradients = valueAndGradients { peak.maxPooled2D(kernelSize: 2, stride: 1).sum() }.gradients
    #expect(gradients[peak]?.elements == [0, 0, 0, 0, 4, 0, 0, 0, 0])
  }

  /// As in PyTorch, the first of equal elements has the gradient, and what is no number is not lost.
  @Test func equalAndBrokenElements() {
    let equal = Tensor.ones([1, 2, 2, 1]).tracked()
    let gradients = valueAndGradients { equal.maxPooled2D(kernelSize: 2, stride: 2).sum() }
      .gradients
    #expect(gradients[equal]?.elements == [1, 0, 0, 0])
    let broken = Tensor(shape: [1, 2, 2, 1], elements: [1, .nan, 3, 2])
    #expect(broken.maxPooled2D(kernelSize: 2, stride: 2).elements[0].isNaN)
  }
}
